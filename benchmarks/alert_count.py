"""How many alerts came out of how many that were due: the only sign of how far the alerts query has come.

It commits once a minute, while its rows are out within milliseconds.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.observers.alerts import AlertWatch
from edge.pacing import Clock


class AlertCount:
    """Each message of a violating sensor makes one alert; a repeated one does not count."""

    def __init__(self, watch: AlertWatch, clock: Clock) -> None:
        self._watch = watch
        self._clock = clock
        self._due: list[NDArray[np.int64]] = []
        self._missing = 0

    def expect(self, due: NDArray[np.int64]) -> None:
        """Alerts of one more run; `due`: their times, rising, microseconds since 1970."""
        self._due.append(due)

    def forget(self, after: int) -> None:
        """Nothing of what is due after that time (microseconds since 1970) was sent."""
        self._due = [due[: np.searchsorted(due, after, "right")] for due in self._due]

    def __call__(self) -> tuple[int, int]:
        """(came out, were due by now)"""
        done, now = len(self._watch.seen), self._clock.now()
        return done, sum(int(np.searchsorted(due, now, "right")) for due in self._due) - self._missing

    def write_off(self) -> int:
        """Wait no longer for what is missing by now, and say how much that is."""
        done, due = self()
        missing = due - done
        self._missing += missing
        return missing
