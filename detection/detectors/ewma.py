"""EWMA of the mean and of the scale: how far a device's readings lie from where they have been lately, all metrics
together.

    z_c = (x_c - m_c) / max(s_c, resolution)
    raw = mean over about 3 messages of  sum over metrics c of  min(|z_c|, 10)^2 / sqrt(max(E_c, pi/2))
    m_c <- m_c + s_c clip(z_c, +-3) / 200,    s_c <- s_c + (min(|z_c|, 4) s_c - s_c) / 3000

(exponentially weighted moments: West, Communications of the ACM 22(9), 1979; winsorised, so that a fault does not
become the usual). E_c is the usual size of min(|z_c|, 10)^2, over 40,000 readings: a metric with many wild readings of
its own counts less. pi/2 is what it is of normal noise, s being a mean distance. The limit comes from the tail of the
training rows.

Judges devices with several metrics that report seldom: there a fault lasts a few messages and shows in several metrics.
Fires on water that turns cloudy and acid; fails on what moves slower than 200 readings.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detection import regime
from detection.detectors.detector import Block, Found, State, put
from detection.limited import Limited

_LEVEL, _SCALE, _USUAL = 1 / 200, 1 / 3000, 1 / 40_000
_SMOOTH = 0.5
_CLIP_LEVEL, _CLIP_SCALE, _CLIP_SCORE = 3.0, 4.0, 10.0
_NORMAL = np.pi / 2
_KNOWN = 60


class Ewma:
    """State a series: `mean`, `scale`, `usual`: m, s and E; `count`; a device: `smooth`; and those of `Limited`."""

    name: ClassVar[str] = "ewma"
    per_device: ClassVar[bool] = True
    momentary: ClassVar[bool] = False

    def __init__(self, rate: float) -> None:
        self._limited = Limited(rate)

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        shape = (devices, metrics)
        own = {"mean": np.zeros(shape), "scale": np.zeros(shape), "usual": np.full(shape, _NORMAL)}
        own["count"] = np.zeros(shape)
        return own | {"smooth": np.zeros((devices, 1))} | self._limited.begin(devices, 1)

    def update(self, state: State, block: Block) -> Found:
        slow = regime.slow(block) & regime.several(block)
        if not slow.any():
            return Found.nothing(block)
        mean, scale, usual, smooth = state["mean"], state["scale"], state["usual"], state["smooth"]
        there, seen = block.there & slow[:, None], state["count"]
        put(mean, there & (seen == 0), block.value)
        away = np.where(there, block.value - mean, 0.0)
        width = np.maximum(scale, block.resolution) + 1e-12
        z = away / width
        size = np.abs(z)
        known = there & (seen >= _KNOWN)
        energy = np.where(known, np.minimum(size, _CLIP_SCORE) ** 2, 0.0)
        contributions = energy / np.sqrt(np.maximum(usual, _NORMAL))
        any_there = there.any(axis=1, keepdims=True)
        put(smooth, any_there, smooth + _SMOOTH * (contributions.sum(axis=1, keepdims=True) - smooth))
        first = 1 / (seen + 1)
        early = seen < _KNOWN
        step = np.where(early, away, width * np.clip(z, -_CLIP_LEVEL, _CLIP_LEVEL))
        put(mean, there, mean + np.maximum(_LEVEL, first) * step)
        distance = np.where(
            early, np.abs(np.where(there, block.value, mean) - mean), np.minimum(size, _CLIP_SCALE) * width
        )
        put(scale, there, scale + np.maximum(_SCALE, first) * (distance - scale))
        put(usual, known, usual + np.maximum(_USUAL, 1 / (seen + 50)) * (energy - usual))
        seen += there
        return self._limited.judge(state, block, np.where(any_there, smooth, np.nan), contributions)
