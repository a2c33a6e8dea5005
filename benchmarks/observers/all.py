"""The observers of one run, started and stopped together: those of the destinations that its queries write."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.lake_files import LakeFiles
from benchmarks.observers.alerts import AlertWatch
from benchmarks.observers.delta import DeltaWatch
from benchmarks.observers.influxdb import InfluxWatch
from benchmarks.observers.lag import LagWatch
from benchmarks.observers.postgres import PostgresWatch
from benchmarks.observers.processes import MemoryWatch
from benchmarks.observers.watch import Watch
from contracts.topics import Topics
from edge.pacing import Clock
from sensorlake.settings import Settings


@dataclass(frozen=True)
class Observers:
    alerts: AlertWatch
    memory: MemoryWatch
    postgres: PostgresWatch | None
    influxdb: InfluxWatch | None
    delta: DeltaWatch | None
    lag: LagWatch | None

    @property
    def every_one(self) -> list[Watch]:
        found = [self.alerts, self.memory, self.postgres, self.influxdb, self.delta, self.lag]
        return [watch for watch in found if watch is not None]

    @property
    def of_anomalies(self) -> list[AlertWatch | PostgresWatch | InfluxWatch]:
        """Those that see each alert by its id."""
        return [watch for watch in (self.alerts, self.postgres, self.influxdb) if watch is not None]

    def require_well(self) -> None:
        for watch in self.every_one:
            watch.require_well()


@contextmanager
def watching(
    settings: Settings, queries: Collection[str], files: LakeFiles, clock: Clock, *, due: dict[str, int], start: int
) -> Iterator[Observers]:
    """Observers at work; `due` is the event time of each expected anomaly by id, `start` that of the first message."""
    topics = Topics(settings.topic_prefix)
    has_alerts = "alerts" in queries
    delta = DeltaWatch(files, clock) if "lake" in queries else None
    observers = Observers(
        AlertWatch(settings, topics.anomaly, clock),
        MemoryWatch(settings),
        PostgresWatch(settings, clock, start) if has_alerts and "postgres" in queries else None,
        InfluxWatch(settings, clock, due, start) if has_alerts and "influxdb" in queries else None,
        delta,
        LagWatch(settings, topics.raw, lambda: delta.counts["messages"], clock) if delta else None,
    )
    for watch in observers.every_one:
        watch.start()
    try:
        yield observers
    finally:
        for watch in observers.every_one:
            watch.stop()
