"""What a figure has ranged over so far, and by how much a new one lies outside.

    excess = max(f - highest, lowest - f, 0) / (highest - lowest)

The extent shrinks towards what is usual (mean + 3 mean distances) over 8,000 readings, so that one old peak does not
deafen it, and grows by half its width at most, so that one giant one does not either. A figure within 2.5 deviations
of the mean is no excess, however narrow the extent.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Bools, Floats, State, put

_GATE = 2.5
_MEAN_DISTANCE = 1.25  # a normal deviation is 1.25 mean distances
_MEMORY = 2000
_CLIPPED_FROM, _CLIP = 50, 5.0
_GROWTH, _GROWTH_FROM = 0.5, 100
_SHRINK, _USUAL = 1 / 8000, 3.0
_LEAST = 1e-9


def begin(*shape: int) -> dict[str, NDArray[Any]]:
    """Of figures that were never seen."""
    return {
        "highest": np.full(shape, -np.inf),
        "lowest": np.full(shape, np.inf),
        "mean": np.zeros(shape),
        "distance": np.zeros(shape),
        "count": np.zeros(shape, dtype=np.int32),
    }


def width(state: State) -> Floats:
    """highest - lowest; minus infinity where nothing was seen."""
    found: Floats = state["highest"] - state["lowest"]
    return found


def excess(state: State, figure: Floats, there: Bools) -> tuple[Floats, Floats]:
    """By how much each figure lies outside, in widths, and how many deviations from the mean, both by what was seen
    before; then it is taken in."""
    highest, lowest, mean, distance = (state[name] for name in ("highest", "lowest", "mean", "distance"))
    count = state["count"]
    wide = width(state)
    seen = count > 0
    outside = np.where(there & seen, np.maximum(figure - highest, lowest - figure), 0.0)
    away = figure - mean
    deviations = np.abs(away) / (_MEAN_DISTANCE * distance + _LEAST)
    found: Floats = np.where((outside > 0) & (deviations >= _GATE), outside / (np.where(seen, wide, 0.0) + _LEAST), 0.0)
    count += there
    gain = 1 / np.clip(count, 1, _MEMORY)
    most = np.where(count < _CLIPPED_FROM, np.inf, _CLIP * distance)
    step = np.clip(away, -most, most)
    put(mean, there, mean + gain * step)
    put(distance, there, distance + gain * (np.abs(step) - distance))
    growth = np.where((count > _GROWTH_FROM) & (wide > 0), _GROWTH * wide, np.inf)
    top, bottom = np.minimum(figure, highest + growth), np.maximum(figure, lowest - growth)
    top = np.where(seen, top, figure)
    bottom = np.where(seen, bottom, figure)
    usual = _USUAL * distance
    shrunk = np.where(seen, highest - np.maximum(highest - (mean + usual), 0) * _SHRINK, -np.inf)
    raised = np.where(seen, lowest + np.maximum(mean - usual - lowest, 0) * _SHRINK, np.inf)
    put(highest, there, np.maximum(shrunk, top))
    put(lowest, there, np.minimum(raised, bottom))
    return found, np.where(there, deviations, 0.0)
