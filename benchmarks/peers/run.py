"""The benchmark of peers: one stateless job (parse, validate, dead-letter, join with limits, alert) in each engine, one
after the other, on one broker, under one load.

1. Kafka, MinIO and PostgreSQL come up; the limits are published for all engines
2. each engine: it starts on new topics, and is ready when its first alert arrives; the load runs, its warm-up not
   counted; the engine ends, and ids are compared
3. each engine: a backlog lies in new topics before it starts; how fast does it drain?

Processor time and memory are those of the engine's own processes: broker, sender and observer are the same for all.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from confluent_kafka import Producer

from benchmarks import comparison, expected, machine, own_stack, percentiles
from benchmarks.errors import BenchmarkError
from benchmarks.load import Load, first_due
from benchmarks.observers.alerts import AlertWatch
from benchmarks.observers.progress import TopicEnds
from benchmarks.peers import engines, limits
from benchmarks.peers.engines import Engine, Job
from benchmarks.peers.load import PeersPlan
from benchmarks.peers.process import Running
from contracts.topics import Topics
from edge import fleet
from edge.pacing import SteadyClock
from sensorlake import connections
from sensorlake.settings import Settings
from streaming import topics as topic_making

Report = Callable[[str], None]
_READY_SECONDS = 180.0
_QUIET_SECONDS = 5.0
_MOST_SECONDS = 300.0
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Request:
    """`backlog`: messages that each engine drains; the seed decides fleet and values."""

    engines: Sequence[str]
    rate: float
    sensors: int
    seconds: float
    warmup_seconds: float
    backlog: int
    violating_share: float
    broken_every: int
    seed: int


def run(request: Request, folder: Path, report: Report, *, keep: bool) -> dict[str, Any]:
    """Measure; one document, `engines` by name.

    Raises:
        BenchmarkError, StackError: it could not be measured.
    """
    engines.prepare(list(request.engines))
    described, found = machine.describe(), {}
    servers = ["kafka", "minio", "postgres"]
    with own_stack.running(folder, report, keep=keep, servers=servers, stream=False) as settings:
        devices = [*fleet.build(request.sensors, request.seed).names, limits.PROBE]
        limits_file = limits.publish(settings, devices, folder / "limits.jsonl")
        for name in request.engines:
            bench = _Bench(engines.ENGINES[name], settings, folder, limits_file, report)
            found[name] = bench.latency(request) | {"drain": bench.drain(request)}
    return {"machine": described, "load": asdict(request), "engines": found}


@dataclass(frozen=True)
class _Bench:
    """One engine on the servers of `settings`."""

    engine: Engine
    settings: Settings
    folder: Path
    limits: Path
    report: Report
    probes: set[str] = field(default_factory=set)

    def latency(self, request: Request) -> dict[str, Any]:
        """An open load; ids of all alerts, those of the warm-up too."""
        clock = SteadyClock()
        topics = self._topics("latency")
        with self._sending(topics, clock) as load, self._watching(topics, clock) as watch:
            with Running(self.engine, self._job(topics)) as running:
                self._await_ready(running, topics, watch)
                plan = self._plan(request, first_due(clock, request.sensors), request.warmup_seconds, request.seconds)
                load.send(plan)
                self.report(f"{self.engine.name}: {plan.warmup_seconds + plan.seconds:g} s of load")
                self._until(plan.first_counted, clock, running)
                before, began = running.cpu_seconds(), time.monotonic()
                memory = self._until(plan.end, clock, running)
                used, took = running.cpu_seconds() - before, time.monotonic() - began
                sent = load.sent()
                due = expected.anomalies(plan.run())
                self._settle(watch, running, len(due))
            times, waits = percentiles.latencies(watch.seen, due, plan.first_counted, plan.end)
            ids = [name for name in watch.ids if name not in self.probes]
            compared = comparison.compare(pa.chunked_array([list(due)]), pa.chunked_array([pa.array(ids, pa.string())]))
        return {
            "alert_ms": percentiles.summary(waits),
            "alert_ms_by_10s": percentiles.over_time(times, waits, plan.first_counted),
            "cpu_seconds_per_million": round(used / (request.rate * request.seconds) * 1e6, 1),
            "cores": round(used / took, 3),
            "memory_mb": round(max(memory), 1),
            "alerts": asdict(compared),
            "dead_letters": {"expected": plan.run().broken(), "found": self._end_of(topics.dead_letter)},
            "load_generator": asdict(sent),
        }

    def drain(self, request: Request) -> dict[str, Any]:
        """Messages a second between the first and the last alert of a backlog; the start is left out."""
        if not request.backlog:
            return {}
        clock = SteadyClock()
        topics = self._topics("drain")
        seconds = request.backlog / request.rate
        plan = self._plan(request, clock.now() - round(seconds * 1e6), 0.0, seconds)
        due = expected.anomalies(plan.run())
        with self._sending(topics, clock) as load:
            load.send(plan)
            self.report(f"{self.engine.name}: making a backlog of {request.backlog:,}")
            while load.is_sending():
                time.sleep(_LOOK_SECONDS)
            sent = load.sent()
        with self._watching(topics, clock) as watch, Running(self.engine, self._job(topics)) as running:
            self.report(f"{self.engine.name}: draining")
            before = running.cpu_seconds()
            self._settle(watch, running, len(due))
            used = running.cpu_seconds() - before
            arrived = sorted(watch.seen[name] for name in due if name in watch.seen)
        if len(arrived) < 2:
            raise BenchmarkError(f"{self.engine.name} raised {len(arrived)} alerts on a backlog with {len(due)}")
        # The slowest and the fastest hundredth are the beginning and the end, where not all partitions are at work.
        low, high = (arrived[round(part * (len(arrived) - 1))] for part in (0.01, 0.99))
        return {
            "messages": sent.messages,
            "messages_per_second": round(0.98 * sent.messages / max((high - low) / 1e6, 1e-3)),
            "cpu_seconds_per_million": round(used / sent.messages * 1e6, 1),
            "alerts_lost": len(due) - len(arrived),
        }

    def _plan(self, request: Request, start: int, warmup: float, seconds: float) -> PeersPlan:
        return PeersPlan(
            sensors=request.sensors,
            rate=request.rate,
            warmup_seconds=warmup,
            seconds=seconds,
            seed=request.seed,
            start=start,
            violating_share=request.violating_share,
            broken_every=request.broken_every,
        )

    def _topics(self, part: str) -> Topics:
        own = self.settings.model_copy(update={"topic_prefix": f"{self.engine.name}-{part}."})
        return topic_making.ensure(own)

    def _job(self, topics: Topics) -> Job:
        folder = self.folder / f"peer-{topics.prefix.rstrip('.')}"
        folder.mkdir(mode=0o700)
        return Job(self.settings, topics, folder, self.limits)

    @contextmanager
    def _sending(self, topics: Topics, clock: SteadyClock) -> Iterator[Load]:
        load = Load(self.settings.kafka_bootstrap_servers, topics.raw, clock)
        try:
            yield load
        finally:
            load.stop()

    @contextmanager
    def _watching(self, topics: Topics, clock: SteadyClock) -> Iterator[AlertWatch]:
        watch = AlertWatch(self.settings, topics.anomaly, clock)
        watch.start()
        try:
            yield watch
        finally:
            watch.stop()

    def _await_ready(self, running: Running, topics: Topics, watch: AlertWatch) -> None:
        """Until an alert about the probe arrives, of which one reading beyond its limit is sent every half second."""
        self.report(f"{self.engine.name}: starting")
        producer = Producer(connections.kafka(self.settings))
        deadline = time.monotonic() + _READY_SECONDS
        while not self.probes & watch.seen.keys():
            running.require_alive()
            watch.require_well()
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{self.engine.name} raised no alert within {_READY_SECONDS:g} s: {running.log}")
            payload, name = limits.probe(time.time_ns() // 1000)
            self.probes.add(name)
            producer.produce(topics.raw, payload, limits.PROBE.encode())
            producer.flush(5)
            time.sleep(_LOOK_SECONDS)

    def _until(self, moment: int, clock: SteadyClock, running: Running) -> list[float]:
        """Wait; the engine's memory at each look."""
        found = []
        while (left := (moment - clock.now()) / 1e6) > 0:
            running.require_alive()
            found.append(running.memory_mb())
            time.sleep(min(2.0, left))
        return found

    def _settle(self, watch: AlertWatch, running: Running, wanted: int) -> None:
        """Until all alerts have arrived and none came for a while, so that a doubled one is seen."""
        began, last, count = time.monotonic(), time.monotonic(), -1
        while time.monotonic() - began < _MOST_SECONDS:
            running.require_alive()
            watch.require_well()
            if len(watch.ids) != count:
                count, last = len(watch.ids), time.monotonic()
            if count >= wanted and time.monotonic() - last > _QUIET_SECONDS:
                return
            time.sleep(_LOOK_SECONDS)

    def _end_of(self, topic: str) -> int:
        ends = TopicEnds(self.settings)
        try:
            return ends.of(topic)
        finally:
            ends.close()
