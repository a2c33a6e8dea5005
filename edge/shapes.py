"""How a value moves over a day: curves between -1 and 1, in a table because the simulator asks millions of times."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

DAY_SECONDS = 86_400
STEP_SECONDS = 10

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Profile(IntEnum):
    """Row of a curve in the table."""

    FLAT = 0
    WEATHER = 1  # one wave a day, highest at 15:00
    DAMP = 2  # its opposite: relative humidity falls while the air warms
    WORKDAY = 3  # a plateau from about 07:00 to 18:00 with a dip at noon


def _tabulate() -> Floats:
    hour = np.arange(0, DAY_SECONDS, STEP_SECONDS) / 3600
    weather = np.cos((hour - 15) * 2 * np.pi / 24)
    shift = 0.5 * (np.tanh(hour - 7) - np.tanh(hour - 18))
    lunch = 0.25 * np.exp(-(((hour - 12.5) / 0.5) ** 2))
    return np.stack([np.zeros_like(hour), weather, -weather, 2 * np.clip(shift - lunch, 0, 1) - 1])


_TABLE = _tabulate()


def daily(profile: Integers, second_of_day: Floats) -> Floats:
    """Height of each profile at each time of day; both arrays have one shape, times may lie outside 0 to 86,400."""
    column = (second_of_day // STEP_SECONDS).astype(np.int64) % _TABLE.shape[1]
    heights: Floats = _TABLE[profile, column]
    return heights
