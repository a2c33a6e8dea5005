"""Mean and variance of the training rows, one reading at a time (Welford, Technometrics 4(3), 1962)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Bools, Floats, State, put

ENOUGH = 10
"""Readings before a mean and a deviation say anything."""

_LEAST_OF_VALUE = 1e-6
_LEAST = 1e-9


def begin(devices: int, metrics: int) -> dict[str, NDArray[Any]]:
    """Of series of which nothing is known."""
    shape = (devices, metrics)
    return {"mean": np.zeros(shape), "squares": np.zeros(shape), "count": np.zeros(shape)}


def standardised(state: State, value: Floats) -> Floats:
    """Distance from the mean in deviations; NaN while too few are known. A constant series has a deviation of a
    millionth of its value: the noise of a number that was stored with seven digits."""
    mean, count = state["mean"], state["count"]
    deviation = np.sqrt(state["squares"] / np.maximum(count, 1))
    least = np.maximum(_LEAST_OF_VALUE * np.abs(mean), _LEAST)
    found: Floats = np.where(count >= ENOUGH, (value - mean) / np.maximum(deviation, least), np.nan)
    return found


def learn(state: State, value: Floats, chosen: Bools) -> None:
    """Take the chosen readings in."""
    mean, squares, count = state["mean"], state["squares"], state["count"]
    away = value - mean
    more = count + 1
    next_mean = mean + away / more
    put(squares, chosen, squares + away * (value - next_mean))
    put(mean, chosen, next_mean)
    put(count, chosen, more)
