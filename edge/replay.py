"""Files of readings sent again as if they were measured now: pure, without a clock and without Kafka."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from edge import wire
from edge.csv_file import Row
from edge.pacing import Timed

LATEST = 253_402_300_799_000_000  # the end of the year 9999


@dataclass(frozen=True)
class Replay:
    """How times are moved: the first row is due at `start`, later ones after their interval divided by `speed`.

    With `keep_timestamps` the messages carry the times of the file, otherwise those at which they are due.
    """

    start: int
    speed: float = 1.0
    keep_timestamps: bool = False
    loop: bool = False

    def messages(self, passes: Callable[[], Iterable[Row]]) -> Iterator[Timed]:
        """The messages of one file; `passes` opens it anew, more than once where it loops.

        A row of a later time is always due at least a microsecond after those before it, or a high speed would give two
        readings of one sensor the same time, and the lake would keep only the first.
        """
        due = begin = self.start
        step = 1
        while True:
            first = last = None
            for row in passes():
                first = row.time if first is None else first
                stamp = wanted = min(LATEST, begin + round((row.time - first) / self.speed))
                if last is not None and row.time > last:
                    moved = max(due + 1, wanted)
                    step, due = moved - due, moved
                if last is None or row.time >= last:
                    last, stamp = row.time, due
                # a row older than its predecessor goes out at once and keeps its old time: late data stays late
                yield from _encode(row, due, row.time if self.keep_timestamps else stamp)
            if not self.loop or first is None:
                return
            begin = due = due + step


def merged(files: Iterable[Iterator[Timed]]) -> Iterator[Timed]:
    """Several files at once, by due time."""
    return heapq.merge(*files, key=lambda message: message[0])


def _encode(row: Row, due: int, stamp: int) -> Iterator[Timed]:
    time = wire.timestamp(stamp)
    if row.long or not wire.FIELDS.isdisjoint(row.values):
        unit = row.unit if row.long else None
        for metric, value in row.values.items():
            yield (
                due,
                row.device.encode(),
                wire.single(row.device, time, metric, value, unit=unit, location=row.location),
                1,
            )
    elif row.values:
        yield due, row.device.encode(), wire.multi(row.device, time, row.values, row.location), len(row.values)
