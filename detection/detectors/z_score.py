"""z-score: how many deviations a reading lies from the mean of the series' normal readings.

    raw = |x - mean| / deviation

mean and deviation are those of the training rows (Welford, Technometrics 4(3), 1962) and stay as they are afterwards.
Fires on values far from where the series was when it was learned; fails once a level has changed for good, which it
then reports for ever (`ewma` follows).
"""

from typing import ClassVar

import numpy as np

from detection.detectors import scale
from detection.detectors.detector import Block, Floats, State, put


class ZScore:
    """State a series: `mean`, `squares` (sum of squared distances from it), `count` of training readings."""

    name: ClassVar[str] = "z_score"
    per_device: ClassVar[bool] = False

    def begin(self, devices: int, metrics: int) -> State:
        shape = (devices, metrics)
        return {"mean": np.zeros(shape), "squares": np.zeros(shape), "count": np.zeros(shape)}

    def update(self, state: State, block: Block) -> Floats:
        mean, squares, count = state["mean"], state["squares"], state["count"]
        away = block.value - mean
        deviation = np.sqrt(squares / np.maximum(count, 1))
        raw: Floats = np.abs(away) / np.maximum(deviation, scale.least(mean))
        raw[count < scale.ENOUGH] = np.nan
        learned = block.training[:, None] & np.isfinite(away)
        more = count + 1
        next_mean = mean + away / more
        put(squares, learned, squares + away * (block.value - next_mean))
        put(mean, learned, next_mean)
        put(count, learned, more)
        return raw
