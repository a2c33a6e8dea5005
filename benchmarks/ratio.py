"""The alerts lane against a plain loop from Kafka to Kafka, in one run: how many times as long an alert takes.

Times of different runs on a shared machine say little about a change of the program; the ratio of two that ran side by
side says more, so that it is what a test can hold to.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import expected, machine, own_stack, percentiles, queries
from benchmarks.load import Load, Plan, first_due
from benchmarks.observers.alerts import AlertWatch
from benchmarks.plain_loop import PlainLoop
from contracts.topics import Topics
from edge.pacing import SteadyClock
from sensorlake.settings import Settings

POINTS = ("p50", "p95")
QUERIES = ("alerts",)
_DRAIN_SECONDS = 15.0
_LOOK_SECONDS = 0.2
Report = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What the user asks for."""

    rate: float
    sensors: int
    seconds: float
    warmup_seconds: float
    violating_share: float
    seed: int


def run(request: Request, folder: Path, report: Report, *, keep: bool) -> dict[str, Any]:
    """Measure on a stack of its own, with the alerts query alone; one document.

    Raises:
        BenchmarkError, StackError: it could not be measured.
    """
    described, servers = machine.describe(), queries.servers(QUERIES)
    with own_stack.running(folder, report, keep=keep, servers=servers, queries=QUERIES) as settings:
        found = measure(request, settings, report)
    return {"machine": described, "load": asdict(request)} | found


def measure(request: Request, settings: Settings, report: Report) -> dict[str, Any]:
    """As `run`, where the alerts query runs already."""
    clock, topics = SteadyClock(), Topics(settings.topic_prefix)
    servers, target = settings.kafka_bootstrap_servers, f"{settings.topic_prefix}bench.plain"
    load, loop = Load(servers, topics.raw, clock), PlainLoop(servers, topics.raw, target)
    lane, plain = AlertWatch(settings, topics.anomaly, clock), AlertWatch(settings, target, clock)
    try:
        plan = Plan(**asdict(request), start=first_due(clock, request.sensors))
        load.send(plan)
        due = expected.anomalies(plan.run())
        lane.start()
        plain.start()
        report(f"{request.rate:g} messages a second for {request.warmup_seconds + request.seconds:g} s")
        deadline = plan.end + round(_DRAIN_SECONDS * 1e6)
        while clock.now() < deadline and not all(due.keys() <= watch.seen.keys() for watch in (lane, plain)):
            for part in (lane, plain, loop):
                part.require_well()
            time.sleep(_LOOK_SECONDS)
        load.sent()
    finally:
        load.stop()
        loop.stop()
        lane.stop()
        plain.stop()
    counted = sum(plan.first_counted <= when < plan.end for when in due.values())
    figures = {}
    for name, watch in (("alerts", lane), ("plain", plain)):
        _, waits = percentiles.latencies(watch.seen, due, plan.first_counted, plan.end)
        figures[name] = percentiles.summary(waits) | {"samples": len(waits), "of": counted}
    return {**figures, "ratio": ratio(figures["alerts"], figures["plain"])}


def ratio(alerts: dict[str, Any], plain: dict[str, Any]) -> dict[str, float | None]:
    """How many times as long as in the plain loop; None where one of the two has no sample."""
    return {
        point: round(alerts[point] / plain[point], 2) if alerts[point] is not None and plain[point] else None
        for point in POINTS
    }
