"""What is usual for each series within its last readings: its level, its noise, its resolution. All detectors of short
faults share it.

    noise       deviation = mean |x_i - x_(i-1)| / 1.128   (of differences, so that slow cycles do not enter; 2/sqrt(pi)
                is the mean of |x - y| of two normal variables), each winsorised at 3.5 times the mean
    resolution  a 10 % quantile of the steps that are not 0, found by small multiplicative moves: the least digit of a
                quantised sensor, far below the noise of a continuous one; the deviation is never below 0.3 of it
    level       exponentially weighted over 8 readings, moves clipped at 4 deviations
    unrest      exponentially weighted over 8 readings of (change / deviation)^2 / 2, clipped at 25: 1 as usual
    hold        readings until what is seen counts as normal again: 20 after a spike, a stuck or a noisy reading, and
                not counted down while the unrest lasts
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Bools, Floats, Integers, State, put

_MEAN_CHANGE = 1.128
_WINSORISED = 1.005  # makes up for what winsorising takes from the mean of a normal distribution
_MEMORY = 300.0
_SHORT = 1 / 8
_HOLD = 20
_UNREST_LASTS = 2.5
_SLOWLY = 0.05
_LONGEST_SPIKE = 8
ARMED = 30
"""Readings before anything can be said of a series."""


@dataclass(frozen=True)
class Usual:
    """As the fields of `Block` of the same names."""

    there: Bools
    change: Floats
    level: Floats
    deviation: Floats
    unrest: Floats
    resolution: Floats
    calm: Bools


def begin(devices: int, metrics: int) -> dict[str, NDArray[Any]]:
    """Of series that have sent nothing yet."""
    shape = (devices, metrics)
    return {
        "value": np.zeros(shape),
        "level": np.zeros(shape),
        "change": np.zeros(shape),
        "step": np.zeros(shape),
        "unrest": np.ones(shape),
        "hold": np.zeros(shape, dtype=np.int16),
        "spiking": np.zeros(shape, dtype=np.int16),
    }


def look(state: State, value: Floats, there: Bools, seen: Integers) -> Usual:
    """What was usual before this reading; only the unrest and the resolution have it in them."""
    first = there & (seen == 0)
    put(state["level"], first, value)
    change = np.where(there & ~first, value - state["value"], 0.0)
    size = np.abs(change)
    step = state["step"]
    moved = there & (size > 0)
    # A new smallest step pulls the resolution down nine times as hard as a larger one pushes it up.
    follow = np.where(size <= step * 1.0001, 0.956, 1.005)  # exp(0.05 (0.1 - 1)), exp(0.05 * 0.1)
    put(step, moved, np.where(step == 0, size, step * follow))
    deviation = np.maximum(state["change"] / _MEAN_CHANGE, 0.3 * step) + 1e-12
    energy = np.minimum(change * change / (2 * deviation * deviation), 25.0)
    unrest = state["unrest"]
    put(unrest, there & (seen > 0), unrest + _SHORT * (energy - unrest))
    return Usual(there, change, state["level"].copy(), deviation, unrest.copy(), step.copy(), state["hold"] == 0)


def learn(state: State, usual: Usual, value: Floats, seen: Integers, abnormal: Bools) -> None:
    """Take the reading in. `abnormal`: series with a short fault at this reading, shape (n, k)."""
    hold, change, level, spiking = state["hold"], state["change"], state["level"], state["spiking"]
    there = usual.there
    hold[:] = np.where(abnormal, _HOLD, np.where(usual.unrest > _UNREST_LASTS, hold, np.maximum(hold - 1, 0)))
    # One that lasts is no spike but another level.
    spiking[:] = np.where(abnormal & there, spiking + 1, np.where(there, 0, spiking))
    lasting = spiking > _LONGEST_SPIKE
    away = value - level
    clipped = np.clip(away, -4 * usual.deviation, 4 * usual.deviation)
    gain = np.where(seen < 1 / _SHORT, 1 / (seen + 1.0), _SHORT)
    step = np.where(lasting, away, np.where(seen < 1 / _SHORT, gain * away, gain * clipped))
    put(level, there, level + step)
    size = np.abs(usual.change)
    open_end = np.maximum(6 * change, 4 * usual.resolution) + np.where(change == 0, np.inf, 0.0)
    most = np.where(seen < 10, open_end, 3.5 * change + usual.resolution)
    memory = np.where(seen < ARMED, 1.0, np.where(hold > 0, _SLOWLY, 1.0))
    gain = np.maximum(1 / _MEMORY, 1 / np.maximum(seen, 1)) * memory
    put(change, there & (seen > 0), change + gain * (np.minimum(size, most) * _WINSORISED - change))
    put(state["value"], there, value)
