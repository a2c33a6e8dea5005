"""EWMA of the mean and of the variance: how far a reading lies from where the series has been lately.

    raw  = |x - m| / sqrt(v)
    m   <- m + a d,   v <- (1 - a) (v + a d^2),   d = x - m clipped to +- 4 sqrt(v) once the series is known

(exponentially weighted moments: West, Communications of the ACM 22(9), 1979). `a` is 1/n for the n-th reading until
it reaches its lasting value, so that the first readings count alike. Clipping keeps a fault from becoming the usual
within a few readings; a level that changed for good is followed all the same. Fires on steps and spikes; fails on
drifts slower than 1/a readings.
"""

from typing import ClassVar

import numpy as np

from detection.detectors import scale
from detection.detectors.detector import Block, Floats, State, put

_CLIP = 4.0


class Ewma:
    """State a series: `mean` and `variance`, exponentially weighted over about 1/`weight` readings."""

    name: ClassVar[str] = "ewma"
    per_device: ClassVar[bool] = False

    def __init__(self, weight: float = 0.02) -> None:
        self._weight = weight

    def begin(self, devices: int, metrics: int) -> State:
        shape = (devices, metrics)
        return {"mean": np.zeros(shape), "variance": np.zeros(shape)}

    def update(self, state: State, block: Block) -> Floats:
        mean, variance = state["mean"], state["variance"]
        away = block.value - mean
        deviation = np.maximum(np.sqrt(variance), scale.least(mean))
        known = block.seen >= scale.ENOUGH
        raw: Floats = np.where(known, np.abs(away) / deviation, np.nan)
        weight = np.maximum(1 / (block.seen + 1), self._weight)
        step = np.where(known, np.clip(away, -_CLIP * deviation, _CLIP * deviation), away)
        learned = np.isfinite(away)
        put(variance, learned, (1 - weight) * (variance + weight * step * step))
        put(mean, learned, mean + weight * step)
        return raw
