"""Missing data: a device that has been silent for longer than it ever was.

    score = seconds since the last message / max(8 usual intervals, 2 longest pauses so far, 30 s)

30 s because messages of different devices may overtake one another by some seconds on their way.
The longest pause fades by a thousandth at each message, so that one holiday does not excuse every later silence.
Nothing arrives from a silent device, so `update` only learns; `overdue` is asked from time to time (`Fleet.silent`).
Fires on devices that were switched off or cut off; fails on one that always reported at random.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Block, Floats, Found, State

_INTERVALS = 8.0
_LEAST_SECONDS = 30.0
_PAUSES = 2.0
_FADES = 1 / 1000


class Missing:
    """State a device: `usual`, `longest`: seconds between messages; `told`: its silence was reported."""

    name: ClassVar[str] = "missing"
    per_device: ClassVar[bool] = True
    momentary: ClassVar[bool] = False

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        del metrics  # a device is silent as a whole
        return {
            "usual": np.full(devices, np.inf),
            "longest": np.zeros(devices),
            "told": np.zeros(devices, dtype=np.bool_),
        }

    def update(self, state: State, block: Block) -> Found:
        # Of a device whose metrics come one by one the least is the pause since its last message.
        pause = np.where(np.isfinite(block.elapsed), block.elapsed, np.inf).min(axis=1)
        pause = np.where(np.isfinite(pause), pause, 0.0)
        longest = state["longest"]
        # The end of a silence that was reported is no usual pause.
        taken = np.where(state["told"], 0.0, pause)
        longest[:] = np.maximum(longest * (1 - _FADES), taken)
        state["usual"][:] = block.interval
        state["told"][:] = False
        return Found.nothing(block)

    def overdue(self, state: State, waited: Floats) -> Floats:
        """Scores of devices that have been silent for `waited` seconds, shape (n,); 0 where nothing is known yet."""
        limit = np.maximum(_INTERVALS * state["usual"], _PAUSES * state["longest"])
        limit = np.maximum(limit, _LEAST_SECONDS)
        score: Floats = np.where(np.isfinite(limit), waited / limit, 0.0)
        return score
