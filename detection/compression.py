"""Readings on a scale on which counts, bytes and percentages can be compared: sign(v) ln(1 + |v| / m).

m is the mean size of the series' first 20 readings; offsets (a temperature of 80) stay almost linear, heavy tails are
drawn in. Results depend little on m: a factor of ten either way is the same for practical purposes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Block, Bools, Floats, State

_FIRST = 20
_AT_LATEST = 60


def begin(devices: int, metrics: int) -> dict[str, NDArray[Any]]:
    """Of series that have sent nothing yet."""
    return {"size": np.zeros((devices, metrics)), "sized": np.zeros((devices, metrics), dtype=np.bool_)}


def compressed(state: State, block: Block, devices: Bools) -> tuple[Floats, Bools]:
    """The readings of `devices` (shape (n,)) on that scale, and where there are any; none before m is known."""
    size, sized = state["size"], state["sized"]
    given = block.there & devices[:, None]
    there = given & sized
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(there, np.sign(block.value) * np.log1p(np.abs(block.value) / size), 0.0)
    if not sized.all():
        _learn(size, sized, block, given)
    return found, there


def _learn(size: Floats, sized: Bools, block: Block, given: Bools) -> None:
    learned = given & ~sized
    np.copyto(size, size + (np.abs(block.value) - size) / (block.seen + 1), where=learned)
    # A series that was 0 all the time has no size of its own.
    late = learned & (block.seen + 1 >= _AT_LATEST)
    size[late & (size == 0)] = 1.0
    sized |= learned & (block.seen + 1 >= _FIRST) & (size > 0)
