"""Figures of latency from samples: pure, in milliseconds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def summary(milliseconds: Floats) -> dict[str, float | None]:
    """p50, p95, p99 and max; None each where there is no sample. A percentile is a sample, none is interpolated."""
    if not len(milliseconds):
        return dict.fromkeys(("p50", "p95", "p99", "max"))
    points = np.percentile(milliseconds, [50, 95, 99, 100], method="higher")
    return {name: round(float(value), 1) for name, value in zip(("p50", "p95", "p99", "max"), points, strict=True)}


def latencies(seen: Mapping[str, int], due: Mapping[str, int], first: int, end: int) -> tuple[Integers, Floats]:
    """When each thing that was due from `first` to before `end` was due, and how long until it was seen.

    Args:
        seen: when an id was first seen, microseconds since 1970-01-01 UTC.
        due: when it was meant to be sent, in the same unit.

    Returns:
        Due times (microseconds) and latencies (milliseconds), in the order of `due`; what was never seen has none.
    """
    times = [(when, seen[name]) for name, when in due.items() if first <= when < end and name in seen]
    pairs = np.array(times, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], (pairs[:, 1] - pairs[:, 0]) / 1000


def over_time(due: Integers, milliseconds: Floats, first: int, seconds: float = 10.0) -> list[dict[str, Any]]:
    """The figures of each stretch of `seconds`: a pause between two batches shows here and hides in a total."""
    number = ((due - first) // round(seconds * 1e6)).astype(np.int64)
    return [
        {"from_s": float(n * seconds), "count": int((number == n).sum()), **summary(milliseconds[number == n])}
        for n in np.unique(number).tolist()
    ]
