"""z-score: how many deviations a reading lies from the mean of the series' normal readings.

    raw = |x - mean| / deviation

mean and deviation are those of the training rows (Welford, Technometrics 4(3), 1962) and stay as they are afterwards;
the limit comes from the tail of their scores. Fires on values far from where the series was when it was learned; fails
once a level has changed for good, which it then reports for ever.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detection.detectors import moments
from detection.detectors.detector import Block, Found, State
from detection.limited import Limited


class ZScore:
    """State a series: that of `moments` and of `Limited`."""

    name: ClassVar[str] = "z_score"
    per_device: ClassVar[bool] = False
    momentary: ClassVar[bool] = False

    def __init__(self, rate: float) -> None:
        self._limited = Limited(rate)

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        return moments.begin(devices, metrics) | self._limited.begin(devices, metrics)

    def update(self, state: State, block: Block) -> Found:
        raw = np.abs(moments.standardised(state, block.value))
        moments.learn(state, block.value, block.there & block.training[:, None])
        return self._limited.judge(state, block, raw)
