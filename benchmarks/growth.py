"""Does a cost grow faster than what it is the cost of? Pure."""

import math
from collections.abc import Sequence
from itertools import pairwise

LINEAR = 1.1
"""The exponent up to which a growth counts as linear: what is measured twice differs by some percent."""


def exponent(sizes: Sequence[float], costs: Sequence[float | None]) -> float | None:
    """The largest exponent from one size to the next: 0 is constant, 1 linear, 2 quadratic. None where fewer than two
    sizes have a cost above 0.

    >>> exponent([10, 100, 1000], [5, 5, 50])
    1.0
    """
    known = [(size, cost) for size, cost in zip(sizes, costs, strict=True) if cost is not None and cost > 0]
    steps = [math.log(cost / before) / math.log(size / smaller) for (smaller, before), (size, cost) in pairwise(known)]
    return round(max(steps), 3) if steps else None


def is_linear(found: float | None) -> bool | None:
    return None if found is None else found <= LINEAR


def spread(costs: Sequence[float]) -> float | None:
    """The highest over the lowest: 1 is constant. None where there are fewer than two, or one is 0."""
    return round(max(costs) / min(costs), 3) if len(costs) > 1 and min(costs) > 0 else None
