"""When each alert can be read in PostgreSQL by a connection that has nothing to do with the stream."""

from benchmarks.observers.watch import Watch
from edge.pacing import Clock
from lakehouse.postgres import connect
from sensorlake.settings import Settings

# Rows are found by the index on event_time; the topic's partitions may be apart by this much.
_APART_MICROS = 60_000_000
_NEW = """
    select anomaly_id, (extract(epoch from event_time) * 1000000)::bigint, stored_at::text
    from stream.anomalies
    where not starts_with(detector, 'learned_')
      and event_time > to_timestamp(:since / 1000000.0) and stored_at > cast(:last as timestamptz)
    order by stored_at
"""


class PostgresWatch(Watch):
    """`seen`: microseconds of the first sight by anomaly id.

    A batch of the sink becomes visible as a whole and the batches come one after the other, so that what is new has a
    later `stored_at` than all that was seen.
    """

    name = "postgres"
    every = 0.1

    def __init__(self, settings: Settings, clock: Clock, start: int) -> None:
        super().__init__()
        self.seen: dict[str, int] = {}
        self._clock = clock
        self._newest = start
        self._last = "-infinity"
        self._connection = connect(settings, "sensorlake-bench")

    def look(self) -> None:
        rows = self._connection.run(_NEW, since=self._newest - _APART_MICROS, last=self._last)
        now = self._clock.now()
        for name, event_time, _ in rows:
            self.seen.setdefault(name, now)
            self._newest = max(self._newest, event_time)
        if rows:
            self._last = rows[-1][2]

    def stop(self) -> None:
        super().stop()
        self._connection.close()
