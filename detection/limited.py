"""What a detector without a limit of its own is given: one from the tail of its training scores, and an alarm rule."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection import tails
from detection.alarms import Hysteresis
from detection.detectors.detector import Block, Floats, Found, State

MOST = 1e6
"""The greatest score: a constant series that changes would otherwise be infinitely abnormal."""


class Limited:
    """`rate`: share of normal scores that may go beyond the limit."""

    def __init__(self, rate: float, hysteresis: Hysteresis | None = None) -> None:
        self._rate = rate
        self._hysteresis = hysteresis or Hysteresis()

    def begin(self, devices: int, channels: int) -> dict[str, NDArray[Any]]:
        return tails.begin(devices, channels) | self._hysteresis.begin(devices)

    def judge(self, state: State, block: Block, raw: Floats, contributions: Floats | None = None) -> Found:
        """`raw`: shape (n, channels), NaN where there is nothing to judge."""
        score = np.minimum(np.nan_to_num(raw / state["limit"], nan=0.0, posinf=MOST), MOST)
        tails.learn(state, raw, block.training, self._rate)
        alarm = self._hysteresis.update(state, score.max(axis=1), ~block.training)
        return Found(score, alarm, score if contributions is None else contributions)
