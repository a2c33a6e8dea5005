"""When a calibrated score becomes an alarm, and when the alarm ends.

    score >= on                        the alarm begins
    score <  off for `hold` messages   it ends

Two limits and a hold keep one fault one alarm: a score that hovers about a single limit would ring at each crossing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Bools, Floats, State


@dataclass(frozen=True)
class Hysteresis:
    """`on` and `off` in units of the limit; `hold`: messages below `off` that end an alarm."""

    on: float = 1.0
    off: float = 0.7
    hold: int = 3

    def begin(self, devices: int) -> dict[str, NDArray[Any]]:
        """State of devices that are not in alarm."""
        return {"alarm": np.zeros(devices, dtype=np.bool_), "below": np.zeros(devices, dtype=np.int16)}

    def update(self, state: State, score: Floats, judged: Bools) -> Bools:
        """Which devices are in alarm after this score, shape (n,); `judged`: those whose score counts."""
        alarm, below = state["alarm"], state["below"]
        below[:] = np.where(score < self.off, np.minimum(below + 1, self.hold), 0)
        alarm[:] = (judged & (score >= self.on)) | (alarm & (below < self.hold))
        return alarm.copy()
