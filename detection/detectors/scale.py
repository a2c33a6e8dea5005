"""The least deviation that a series may have: of a constant one nothing else is known."""

import numpy as np

from detection.detectors.detector import Floats

ENOUGH = 10
"""Readings before a mean and a deviation say anything."""

_LEAST_OF_VALUE = 1e-6
_LEAST = 1e-9


def least(centre: Floats) -> Floats:
    """A millionth of the value: the noise of a number that was stored with seven digits."""
    found: Floats = np.maximum(_LEAST_OF_VALUE * np.abs(centre), _LEAST)
    return found
