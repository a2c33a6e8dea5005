"""How fast a backlog drains: messages are put into Kafka while the stream is down, then it starts.

The messages carry the times at which they would have been sent at the given rate, up to the moment of filling. A query
has caught up when it is behind by nothing and stays so to the end; that counts from the stream's start, the start
included.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import backlog, expected, machine, own_stack, queries, result, stored
from benchmarks.alert_count import AlertCount
from benchmarks.comparison import compare
from benchmarks.lake_files import LakeFiles
from benchmarks.load import Load, Plan, Sent
from benchmarks.moment import Moment
from benchmarks.observers.alerts import AlertWatch
from benchmarks.observers.processes import MemoryWatch
from benchmarks.observers.progress import Place, ProgressWatch, TopicEnds, frontiers
from contracts.topics import Topics
from edge.pacing import SteadyClock
from lakehouse.tables import READINGS
from sensorlake.settings import Settings

AIM = 5.0
MOST_IDS = 3_000_000
"""Messages whose readings are compared by id; of a longer backlog, a part of the sensors."""
_LOOK_SECONDS = 0.5
_TELL_SECONDS = 20.0
Report = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What the user asks for: `messages` that would have taken messages/rate seconds to arrive."""

    messages: int
    rate: float
    sensors: int
    violating_share: float
    seed: int
    queries: tuple[str, ...]
    most_minutes: float

    @property
    def seconds(self) -> float:
        return self.messages / self.rate

    def plan(self, clock: SteadyClock) -> Plan:
        """All of it is due already, so the sender goes as fast as it can."""
        return Plan(
            sensors=self.sensors,
            rate=self.rate,
            warmup_seconds=0,
            seconds=self.seconds,
            seed=self.seed,
            start=clock.now() - round(self.seconds * 1e6),
            violating_share=self.violating_share,
        )


def run(request: Request, folder: Path, report: Report, *, keep: bool) -> dict[str, Any]:
    """Measure; one document.

    Raises:
        BenchmarkError, StackError: it could not be measured.
    """
    described = machine.describe()
    servers = queries.servers(request.queries)
    with own_stack.running(
        folder, report, keep=keep, servers=servers, queries=request.queries, stream=False
    ) as settings:
        clock = SteadyClock()
        plan = request.plan(clock)
        sent, filled = _fill(settings, plan, clock, report)
        found = _drain(request, settings, plan, clock, sent=sent, report=report)
    document = {"machine": described, "load": asdict(request) | {"real_seconds": request.seconds}}
    return document | {"fill_seconds": filled, "sent": asdict(sent)} | found


def _fill(settings: Settings, plan: Plan, clock: SteadyClock, report: Report) -> tuple[Sent, float]:
    topic, ends = Topics(settings.topic_prefix).raw, TopicEnds(settings)
    load = Load(settings.kafka_bootstrap_servers, topic, clock)
    began = told = time.monotonic()
    try:
        load.send(plan)
        while load.is_sending():
            if time.monotonic() - told > _TELL_SECONDS:
                told = time.monotonic()
                report(f"{ends.of(topic):,} messages wait in Kafka")
            time.sleep(_LOOK_SECONDS)
        sent = load.sent()
    finally:
        load.stop()
        ends.close()
    report(f"{sent.messages:,} messages wait in Kafka")
    return sent, round(time.monotonic() - began, 1)


def _drain(
    request: Request, settings: Settings, plan: Plan, clock: SteadyClock, *, sent: Sent, report: Report
) -> dict[str, Any]:
    ends, memory = TopicEnds(settings), MemoryWatch(settings)
    alerts = AlertWatch(settings, Topics(settings.topic_prefix).anomaly, clock)
    count = AlertCount(alerts, clock)
    count.expect(expected.violations_due(plan.run()))
    progress = ProgressWatch(frontiers(settings, request.queries, ends, count))
    watches = (alerts, memory, progress)
    for watch in watches:
        watch.start()
    try:
        before = Moment.now(settings)
        own_stack.start_stream(settings, request.queries, report)
        running = time.monotonic()
        drained = backlog.drain(progress, count, request.most_minutes * 60)
        after = Moment.now(settings)
    finally:
        for watch in watches:
            watch.stop()
        ends.close()
    report("caught up" if drained is not None else f"not caught up within {request.most_minutes:g} minutes")
    by_query = {name: caught_up(places, before.at, request.seconds) for name, places in progress.places.items()}
    slowest = min((each["times_real_time"] or 0.0 for each in by_query.values()), default=0.0)
    if drained is None:
        slowest = 0.0
    return {
        "start_seconds": round(running - before.at, 1),
        "drained": drained is not None,
        "queries": by_query,
        "times_real_time": slowest,
        **result.cpu(before.stack, after.stack, sent.readings),
        "peak_rss_mb_by": memory.highest_by(),
        "memory_over_time": over_time(memory.samples, before.at, "mb"),
        "lag_over_time": over_time(
            [(place.at, {name: float(place.lag)}) for name, places in progress.places.items() for place in places],
            before.at,
            "lag",
        ),
        "failures": backlog.failures(settings),
        **(_compared(request, settings, plan, sent, alerts.ids, report=report) if drained is not None else {}),
        "aims": {"times real time": AIM},
        "aims_met": {"times real time": slowest >= AIM},
    }


def caught_up(places: Sequence[Place], began: float, real_seconds: float) -> dict[str, Any]:
    """Of one query: seconds from `began` until it was behind by nothing and stayed so, and how many times faster that
    is than the messages would have arrived. None where it was behind to the last."""
    last_behind = max((number for number, place in enumerate(places) if place.lag), default=-1)
    done = places[last_behind + 1 :]
    seconds = round(done[0].at - began, 1) if done else None
    return {
        "seconds": seconds,
        "times_real_time": round(real_seconds / seconds, 2) if seconds else None,
        "highest_lag": max((place.lag for place in places), default=None),
    }


def over_time(
    samples: Sequence[tuple[float, dict[str, float]]], began: float, what: str, every: float = 10.0
) -> list[dict[str, Any]]:
    """The highest figure of each name in each stretch of `every` seconds; `what` is the key that they stand under."""
    found: dict[int, dict[str, float]] = {}
    for at, by in samples:
        stretch = found.setdefault(int((at - began) // every), {})
        for name, size in by.items():
            stretch[name] = max(size, stretch.get(name, 0.0))
    return [{"from_s": number * every, what: found[number]} for number in sorted(found)]


def _compared(
    request: Request, settings: Settings, plan: Plan, sent: Sent, alerts: list[str], *, report: Report
) -> dict[str, Any]:
    """Lost and doubled: anomalies by id; readings by their number, and by id those of all sensors or of some."""
    report("comparing ids and counts")
    files, run = LakeFiles(settings), plan.run()
    due = expected.anomalies(run) if "alerts" in request.queries else {}
    comparisons = stored.compare_alerts(settings, files, queries=request.queries, anomalies=due, alerts=alerts)
    readings: dict[str, Any] = {}
    if "lake" in request.queries:
        sample = expected.sampled_sensors(run, MOST_IDS)
        names = [run.simulator.fleet.names[number] for number in sample.nonzero()[0].tolist()]
        ids = files.column_of(READINGS, "reading_id", names)
        comparisons["delta"] = compare(expected.reading_ids(run, sent.messages, sample), ids)
        rows = files.rows(READINGS)
        readings = {
            "readings": {"expected": sent.readings, "in_delta": rows, "difference": rows - sent.readings},
            "noted_in_commits": files.counts(READINGS),
            "readings_compared_by_id": f"those of {len(names):,} of {request.sensors:,} sensors",
        }
    return readings | result.losses(comparisons)
