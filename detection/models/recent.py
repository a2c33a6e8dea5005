"""The last windows of each series, and how each stands: the memory of whoever scores sequences as they grow.

    figures   (series, length, 6)   a ring, `count` windows long so far
    last      (series,)             end of the newest window, microseconds since 1970
    scored    (series,)             end of the last sequence that was scored
    alarm, below                    as in detection/alarms.py

Bounded: 2.4 kB a series at 50 windows, and a series that has been silent for longer than a sequence may pause is
forgotten, as it would begin anew.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.alarms import Hysteresis
from detection.groups import Floats, Integers
from detection.models.sequences import FEATURES, LONGEST_PAUSE

Series = tuple[str, str]
"""Device and metric."""


class Recent:
    """Windows of series that come and go; `length` windows are a sequence."""

    def __init__(self, length: int, hysteresis: Hysteresis) -> None:
        self.length = length
        self.hysteresis = hysteresis
        self.names: list[Series] = []
        self.state = self._fresh(0)
        self._rows: dict[Series, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def rows(self, names: Sequence[Series]) -> Integers:
        """The row of each series; new ones get one."""
        new = [name for name in dict.fromkeys(names) if name not in self._rows]
        if new:
            self._rows |= {name: len(self.names) + place for place, name in enumerate(new)}
            self.names += new
            fresh = self._fresh(len(new))
            self.state = {name: np.concatenate([array, fresh[name]]) for name, array in self.state.items()}
        return np.array([self._rows[name] for name in names], np.int64)

    def add(self, rows: Integers, end: Integers, figures: Floats) -> None:
        """Windows in any order; those that are no newer than the newest of their series are known or too late.
        A figure that is not finite begins its series anew."""
        count, last, ring = (self.state[name] for name in ("count", "last", "figures"))
        for moment in np.unique(end):
            chosen = np.flatnonzero((end == moment) & (last[rows] < moment))
            # The table may hold a window twice.
            row, place = np.unique(rows[chosen], return_index=True)
            given = figures[chosen[place]]
            count[row[moment - last[row] > LONGEST_PAUSE]] = 0
            last[row] = moment
            count[row[~np.isfinite(given).all(axis=1)]] = -1
            ring[row, count[row] % self.length] = given
            count[row] += 1

    def due(self) -> Integers:
        """Rows with a whole sequence that was not scored, those that wait longest first."""
        due = np.flatnonzero((self.state["count"] >= self.length) & (self.state["scored"] < self.state["last"]))
        return due[np.argsort(self.state["scored"][due], kind="stable")]

    def sequences(self, rows: Integers) -> Floats:
        """The last windows of these rows in order of time, shape (rows, length, 6)."""
        place = (self.state["count"][rows, None] + np.arange(self.length)) % self.length
        found: Floats = self.state["figures"][rows[:, None], place]
        return found

    def score(self, rows: Integers, score: Floats) -> NDArray[np.bool_]:
        """Note the scores, in units of the hysteresis' limits; which of the rows' alarms begin with it."""
        part = {name: self.state[name][rows] for name in ("alarm", "below")}
        before = part["alarm"].copy()
        after = self.hysteresis.update(part, score, np.ones(len(rows), np.bool_))
        for name, values in part.items():
            self.state[name][rows] = values
        self.state["scored"][rows] = self.state["last"][rows]
        began: NDArray[np.bool_] = after & ~before
        return began

    def forget(self) -> None:
        """Leave out series that have been silent for longer than a sequence may pause."""
        last = self.state["last"]
        kept = last >= last.max(initial=0) - LONGEST_PAUSE
        if not kept.all():
            self.state = {name: array[kept] for name, array in self.state.items()}
            self.names = [name for name, stays in zip(self.names, kept.tolist(), strict=True) if stays]
            self._rows = {name: row for row, name in enumerate(self.names)}

    def _fresh(self, count: int) -> dict[str, NDArray[Any]]:
        return {
            "figures": np.zeros((count, self.length, len(FEATURES))),
            **{name: np.zeros(count, np.int64) for name in ("count", "last", "scored")},
            **self.hysteresis.begin(count),
        }
