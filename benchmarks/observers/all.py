"""The observers of one run, started and stopped together."""

from collections.abc import Iterator
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
    postgres: PostgresWatch
    influxdb: InfluxWatch
    delta: DeltaWatch
    lag: LagWatch
    memory: MemoryWatch

    @property
    def every_one(self) -> list[Watch]:
        return [self.alerts, self.postgres, self.influxdb, self.delta, self.lag, self.memory]

    def require_well(self) -> None:
        for watch in self.every_one:
            watch.require_well()


@contextmanager
def watching(
    settings: Settings, files: LakeFiles, clock: Clock, due: dict[str, int], start: int
) -> Iterator[Observers]:
    """Observers at work; `due` is the event time of each expected anomaly by id, `start` that of the first message."""
    topics = Topics(settings.topic_prefix)
    delta = DeltaWatch(files, clock)
    observers = Observers(
        AlertWatch(settings, topics.anomaly, clock),
        PostgresWatch(settings, clock, start),
        InfluxWatch(settings, clock, due, start),
        delta,
        LagWatch(settings, topics.raw, lambda: delta.counts["messages"], clock),
        MemoryWatch(settings),
    )
    for watch in observers.every_one:
        watch.start()
    try:
        yield observers
    finally:
        for watch in observers.every_one:
            watch.stop()
