"""When a calibrated score becomes an alarm, and when the alarm ends.

    score >= ON                      the alarm begins
    score <  OFF for `hold` messages it ends

Two limits and a hold keep one fault one alarm: a score that hovers about a single limit would ring at each crossing.
"""

from dataclasses import dataclass

import numpy as np

from detection.detectors.detector import Bools, Floats, State


@dataclass(frozen=True)
class Hysteresis:
    """`on` and `off` in units of the limit; `hold`: messages below `off` that end an alarm."""

    on: float = 1.0
    off: float = 0.7
    hold: int = 5

    def begin(self, devices: int) -> State:
        """State of devices that are not in alarm."""
        return {
            "alarm": np.zeros(devices, dtype=np.bool_),
            "calm": np.zeros(devices, dtype=np.int32),
            "since": np.full(devices, -1, dtype=np.int64),
        }

    def update(self, state: State, score: Floats, time: "np.typing.NDArray[np.int64]", judged: Bools) -> Bools:
        """Which devices' alarms begin with this message; `judged`: devices whose score counts."""
        alarm, calm, since = state["alarm"], state["calm"], state["since"]
        high = judged & (score >= self.on)
        began: Bools = high & ~alarm
        calm[:] = np.where(score < self.off, calm + 1, 0)
        alarm[:] = high | (alarm & (calm < self.hold))
        since[:] = np.where(began, time, np.where(alarm, since, -1))
        return began
