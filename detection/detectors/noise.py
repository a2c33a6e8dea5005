"""Noise: readings that scatter more than they used to.

    raw = unrest = mean over the last 8 readings of min(change^2 / (2 deviation^2), 25)

a variance ratio of now to usual, 1 as usual. The clip keeps one spike from counting as noise. Its tail beyond 1 is
taken as exponential with the measured mean excess t: limit = 1 + t ln(0.3 / rate), at least 7 and at most 11, wider
while few readings are known. Fires on noise that is four times as strong, within a few readings; fails on noise that
grows over hours, which becomes the usual.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detection import regime
from detection.detectors.detector import Block, Found, State, put
from detection.probation import Probation
from detection.reference import ARMED

_FIRST_EXCESS = 0.5
_BEYOND_ONE = 0.3
# Of a normal series t gives about 8; a wild guess of t must not make it deaf or shrill.
_LEAST, _MOST = 7.0, 11.0


class Noise:
    """State a series: `excess`, mean excess of the unrest over 1; and its probation."""

    name: ClassVar[str] = "noise"
    per_device: ClassVar[bool] = False
    momentary: ClassVar[bool] = True

    def __init__(self, rate: float) -> None:
        self._span = float(np.log(_BEYOND_ONE / rate))
        self._probation = Probation()

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        return {
            "excess": np.full((devices, metrics), _FIRST_EXCESS),
            **self._probation.begin(devices, metrics),
        }

    def update(self, state: State, block: Block) -> Found:
        fast = regime.fast(block)
        if not fast.any():
            return Found.nothing(block)
        excess, unrest = state["excess"], block.unrest
        limit = np.clip(1 + excess * self._span, _LEAST, _MOST) * (1 + 20 / np.maximum(block.seen, 20))
        armed = block.there & (block.seen >= ARMED) & fast[:, None]
        score = np.where(armed, unrest / limit, 0.0)
        pace = np.where(block.calm & (score <= 1), np.where(unrest > 2.5, 0.05, 1.0), 0.01)
        gain = pace * np.maximum(1 / 1000, 1 / (block.seen * 0.4 + 60))
        put(excess, armed & (unrest > 1), excess + gain * (np.minimum(unrest, 5) - 1 - excess))
        return self._probation.judge(state, block, score)
