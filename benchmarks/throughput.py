"""The highest rate at which no query falls further and further behind.

One stack for the whole search. A step is a warm-up and a counted part at one rate, and its rate is sustained if

1. the sender kept to it,
2. no query failed,
3. no query's lag grew: surely (95 %), and by more than a hundredth of what came in.

Between two steps the queries catch up.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import backlog, expected, machine, own_stack, queries
from benchmarks.alert_count import AlertCount
from benchmarks.errors import BenchmarkError
from benchmarks.load import Load, Plan, Sent, first_due
from benchmarks.moment import Moment, cores_used
from benchmarks.observers.alerts import AlertWatch
from benchmarks.observers.processes import MemoryWatch
from benchmarks.observers.progress import ProgressWatch, TopicEnds, frontiers
from benchmarks.rate_search import RateSearch
from contracts.topics import Topics
from edge.pacing import SteadyClock
from sensorlake.settings import Settings

AIM = 30_000
_DRAIN_SECONDS = 300.0
_LOOK_SECONDS = 0.5
_LATE_SECONDS = 5.0
_KEPT_SHARE = 0.99
Report = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What the user asks for. `rate`: the first to be tried."""

    rate: float
    ceiling: float
    sensors: int
    seconds: float
    warmup_seconds: float
    violating_share: float
    seed: int
    queries: tuple[str, ...]
    most_steps: int
    most_minutes: float


@dataclass(frozen=True)
class Stage:
    """What a search has at hand all the time."""

    request: Request
    settings: Settings
    clock: SteadyClock
    progress: ProgressWatch
    count: AlertCount
    report: Report


def run(request: Request, folder: Path, report: Report, *, keep: bool) -> dict[str, Any]:
    """Search; one document.

    Raises:
        BenchmarkError, StackError: it could not be measured.
    """
    described = machine.describe()
    servers = queries.servers(request.queries)
    with own_stack.running(folder, report, keep=keep, servers=servers, queries=request.queries) as settings:
        found = _search(request, settings, report)
    return {"machine": described, "load": asdict(request)} | found


def _search(request: Request, settings: Settings, report: Report) -> dict[str, Any]:
    clock, ends, memory = SteadyClock(), TopicEnds(settings), MemoryWatch(settings)
    alerts = AlertWatch(settings, Topics(settings.topic_prefix).anomaly, clock)
    count = AlertCount(alerts, clock)
    progress = ProgressWatch(frontiers(settings, request.queries, ends, count))
    search = RateSearch(request.rate, request.most_steps, ceiling=request.ceiling)
    stage = Stage(request, settings, clock, progress, count, report)
    steps: list[dict[str, Any]] = []
    watches = (alerts, memory, progress)
    for watch in watches:
        watch.start()
    began = time.monotonic()
    why = ""
    try:
        while not why and (rate := search.next()) is not None:
            left = request.most_minutes * 60 - (time.monotonic() - began)
            if steps and left < request.warmup_seconds + request.seconds:
                why = f"{request.most_minutes:g} minutes are over"
                break
            for watch in watches:
                watch.require_well()
            # Java compiles its code in the first minutes.
            warmup = request.warmup_seconds * (1 if steps else 2)
            steps.append(_step(stage, rate, warmup))
            search.note(rate, steps[-1]["sustained"])
            if steps[-1]["drain_seconds"] is None:
                why = f"the queries had not caught up {_DRAIN_SECONDS:g} s after the step"
    finally:
        for watch in watches:
            watch.stop()
        ends.close()
    return {
        "steps": steps,
        "highest_sustained": search.sustained,
        "lowest_not_sustained": search.too_high,
        "ended": why or ("found" if search.is_found else f"after {search.steps} steps"),
        "peak_rss_mb_by": memory.highest_by(),
        "aims": {"messages a second": AIM},
        "aims_met": {"messages a second": (search.sustained or 0) >= AIM},
    }


def _step(stage: Stage, rate: float, warmup_seconds: float) -> dict[str, Any]:
    request, clock, report = stage.request, stage.clock, stage.report
    failed = backlog.failures(stage.settings)
    load = Load(stage.settings.kafka_bootstrap_servers, Topics(stage.settings.topic_prefix).raw, clock)
    try:
        plan = Plan(
            sensors=request.sensors,
            rate=rate,
            warmup_seconds=warmup_seconds,
            seconds=request.seconds,
            seed=request.seed,
            start=first_due(clock, request.sensors),
            violating_share=request.violating_share,
        )
        load.send(plan)
        if "alerts" in request.queries:
            stage.count.expect(expected.violations_due(plan.run()))
        report(f"{rate:g} messages a second")
        _until(stage, plan.first_counted)
        before = Moment.now(stage.settings)
        _until(stage, plan.end)
        after = Moment.now(stage.settings)
        sent = _sent(load, clock, plan)
    finally:
        load.stop()
    seen = backlog.between(stage.progress.places, before.at, after.at)
    judged = {name: backlog.judged(places, request.seconds) for name, places in seen.items()}
    reasons = [f"the lag of {name} grows" for name, each in judged.items() if each["grows"]]
    reasons += [
        f"{name} failed" for name, times in backlog.failures(stage.settings).items() if times > failed.get(name, 0)
    ]
    if sent is None or sent.messages < _KEPT_SHARE * rate * (warmup_seconds + request.seconds) or _is_late(sent):
        reasons.append("the sender did not keep up")
    report(f"{rate:g} messages a second: {', '.join(reasons) or 'sustained'}; the queries catch up")
    drained = backlog.drain(stage.progress, stage.count, _DRAIN_SECONDS)
    return {
        "rate": rate,
        "sustained": not reasons,
        "reasons": reasons,
        "lag": judged,
        "drain_seconds": drained,
        "alerts_missing": stage.count.write_off() if drained is not None else None,
        "sent": asdict(sent) if sent else None,
        **(cores_used(before, after, sent) if sent else {}),
    }


def _until(stage: Stage, moment: int) -> None:
    while (left := (moment - stage.clock.now()) / 1e6) > 0:
        stage.progress.require_well()
        time.sleep(min(_LOOK_SECONDS, left))


def _sent(load: Load, clock: SteadyClock, plan: Plan) -> Sent | None:
    """What was sent; None where the sender is still at it seconds after the end, and is stopped."""
    while load.is_sending():
        if clock.now() > plan.end + _LATE_SECONDS * 1e6:
            return None
        time.sleep(_LOOK_SECONDS)
    return load.sent()


def _is_late(sent: Sent) -> bool:
    if sent.failed:
        raise BenchmarkError(f"{sent.failed} messages were not acknowledged by Kafka")
    p99 = sent.lateness["p99"]
    return p99 is not None and p99 > _LATE_SECONDS * 1000
