"""When each reading can be read in Delta: the moment at which the commit with its file is found in the table's log."""

from collections import Counter

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from benchmarks.lake_files import LakeFiles
from benchmarks.observers.watch import Watch
from benchmarks.percentiles import Floats, Integers
from edge.pacing import Clock
from lakehouse.tables import READINGS


class DeltaWatch(Watch):
    """Follows the commits of `readings`; `counts` adds up what the writer says in them (messages, valid, ...)."""

    name = "delta"
    every = 0.25

    def __init__(self, files: LakeFiles, clock: Clock) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.commits = 0
        self._files = files
        self._clock = clock
        self._next = files.version(READINGS) + 1
        self._seen: list[tuple[int, Integers]] = []

    def look(self) -> None:
        while (commit := self._files.commit(READINGS, self._next)) is not None:
            now = self._clock.now()
            self._next += 1
            self.counts.update(commit.counts)
            self.commits += bool(commit.files)
            for file in commit.files:
                times = self._files.file_column(READINGS, file, "event_time").cast(pa.timestamp("us", "UTC"))
                self._seen.append((now, times.cast(pa.int64()).to_numpy()))

    def latencies(self, first: int, end: int) -> tuple[Integers, Floats]:
        """Due times (microseconds) of the readings from `first` to before `end`, and their latencies (milliseconds)."""
        due = np.concatenate([times for _, times in self._seen] or [np.empty(0, dtype=np.int64)])
        seen = np.concatenate([np.full(len(times), now) for now, times in self._seen] or [np.empty(0, dtype=np.int64)])
        counted = (first <= due) & (due < end)
        return due[counted], (seen[counted] - due[counted]) / 1000
