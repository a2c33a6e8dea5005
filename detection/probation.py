"""A detector that would have rung in the training rows, which are normal, does not fit that series as it is.

    calibrated = score / max(1, 1.5 * greatest score in the training rows)

Then a plain on/off/hold rule makes the alarm.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.alarms import Hysteresis
from detection.detectors.detector import Block, Floats, Found, State

_WIDER = 1.5


class Probation:
    """State: `worst`, greatest score of each series while it was trained, and that of the alarm rule."""

    def __init__(self, hysteresis: Hysteresis | None = None) -> None:
        self._hysteresis = hysteresis or Hysteresis()

    def begin(self, devices: int, channels: int) -> dict[str, NDArray[Any]]:
        return {"worst": np.zeros((devices, channels)), **self._hysteresis.begin(devices)}

    def judge(self, state: State, block: Block, score: Floats) -> Found:
        """`score`: 1 at the detector's own limit, shape (n, channels)."""
        worst = state["worst"]
        training = block.training
        if training.any():
            worst[training] = np.maximum(worst[training], score[training])
        calibrated = score / np.maximum(1.0, _WIDER * worst)
        alarm = self._hysteresis.update(state, calibrated.max(axis=1), ~training)
        return Found(calibrated, alarm, calibrated)
