"""Rate of change: a reading that differs from the one before more than this series ever changes in that time.

    raw = |x_i - x_(i-1)| / deviation of changes / sqrt(elapsed / usual interval)

A series without memory changes by as much in any time and a random walk by the square root of it; dividing by the root
errs on the silent side after a gap. The limit comes from the tail of the training rows. Fires on steps, in the reading
they happen at, and twice on a spike; fails on anything slow.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Block, Found, State
from detection.limited import Limited
from detection.reference import ARMED


class RateOfChange:
    """State a series: that of `Limited`."""

    name: ClassVar[str] = "rate_of_change"
    per_device: ClassVar[bool] = False
    momentary: ClassVar[bool] = False

    def __init__(self, rate: float) -> None:
        self._limited = Limited(rate)

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        return self._limited.begin(devices, metrics)

    def update(self, state: State, block: Block) -> Found:
        longer = np.maximum(block.elapsed / block.interval[:, None], 1.0)
        raw = np.abs(block.change) / block.deviation / np.sqrt(longer)
        known = block.there & (block.seen >= ARMED // 3) & np.isfinite(longer)
        return self._limited.judge(state, block, np.where(known, raw, np.nan))
