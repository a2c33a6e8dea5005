"""A long run under a steady load while sensors come and go: what does not stay flat, and what 24 hours make of it.

Everything is looked at from outside, again and again. Each figure's trend is a line through the highest of each
twelfth of the time, so that what rises and falls with a batch or a compaction is not taken for a trend.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import backlog, expected, footprint, machine, own_stack, percentiles, queries, trend
from benchmarks.alert_count import AlertCount
from benchmarks.churn import ChurningPlan
from benchmarks.errors import BenchmarkError
from benchmarks.lake_files import LakeFiles
from benchmarks.load import Load, first_due
from benchmarks.moment import Moment, cores_used
from benchmarks.observers.alerts import AlertWatch
from benchmarks.observers.processes import MemoryWatch
from benchmarks.observers.progress import ProgressWatch, TopicEnds, frontiers
from benchmarks.observers.watch import Watch
from contracts.topics import Topics
from edge.pacing import SteadyClock, due_at
from lakehouse.tables import READINGS
from sensorlake.settings import Settings

JUDGED = ("memory MB", "lag", "latency ms", "state", "checkpoint files")
"""What has to stay flat. Disk and the tables' files hold the data, and grow with it."""
TOLERANCE = 0.2
"""Flat is also what grows by less than this share of its level in 24 hours."""
_WINDOWS = 12
_DRAIN_SECONDS = 300.0
_LOOK_SECONDS = 0.5
_TELL_SECONDS = 60.0
Report = Callable[[str], None]
Series = dict[str, dict[str, list[tuple[float, float]]]]
"""By kind and name: (seconds since the first message, value)."""


@dataclass(frozen=True)
class Request:
    """What the user asks for. `every_seconds`: between two looks at the files."""

    minutes: float
    rate: float
    sensors: int
    warmup_seconds: float
    violating_share: float
    fault_share: float
    churn_share: float
    life_seconds: float
    every_seconds: float
    seed: int
    queries: tuple[str, ...]


def run(request: Request, folder: Path, report: Report, *, keep: bool) -> dict[str, Any]:
    """Measure; one document. Ctrl-C ends the load, and what was seen until then counts: `seconds` says of how long.

    Raises:
        BenchmarkError, StackError: it could not be measured.
    """
    described = machine.describe()
    servers = queries.servers(request.queries)
    with own_stack.running(folder, report, keep=keep, servers=servers, queries=request.queries) as settings:
        found = _measure(request, settings, report)
    return {"machine": described, "load": asdict(request)} | found


def _measure(request: Request, settings: Settings, report: Report) -> dict[str, Any]:
    clock, topics = SteadyClock(), Topics(settings.topic_prefix)
    load, ends = Load(settings.kafka_bootstrap_servers, topics.raw, clock), TopicEnds(settings)
    memory, alerts = MemoryWatch(settings), AlertWatch(settings, topics.anomaly, clock)
    count = AlertCount(alerts, clock)
    progress = ProgressWatch(frontiers(settings, request.queries, ends, count))
    watches = (alerts, memory, progress)
    try:
        plan = ChurningPlan(
            sensors=request.sensors,
            rate=request.rate,
            warmup_seconds=request.warmup_seconds,
            seconds=request.minutes * 60,
            seed=request.seed,
            start=first_due(clock, request.sensors, request.rate * request.minutes * 60),
            violating_share=request.violating_share,
            fault_share=request.fault_share,
            churn_share=request.churn_share,
            life_seconds=request.life_seconds,
        )
        load.send(plan)
        churning = plan.run()
        due = np.array(sorted(expected.anomalies(churning).values()), dtype=np.int64)
        if "alerts" in request.queries:
            count.expect(due)
        for watch in watches:
            watch.start()
        began = time.monotonic() + (plan.start - clock.now()) / 1e6
        look = _Looks(request, settings, began, progress, report)
        if not _attend(plan, clock, load, watches, look):
            report("interrupted: what was seen until now is kept; once more leaves at once")
        after = Moment.now(settings)
        sent = load.sent()
        if sent.failed:
            raise BenchmarkError(f"{sent.failed} messages were not acknowledged by Kafka")
        end = min(plan.end, due_at(churning, sent.messages))
        count.forget(end - 1)
        report("waiting for the queries to catch up")
        drained = backlog.drain(progress, count, _DRAIN_SECONDS)
    finally:
        load.stop()
        for watch in watches:
            watch.stop()
        ends.close()
    series: Series = {
        "memory MB": _by_name([(at - began, by) for at, by in memory.samples]),
        "lag": {name: [(each.at - began, each.lag) for each in places] for name, places in progress.places.items()},
        "latency ms": _latencies(alerts, plan.start, end),
        **_of_footprints(look.prints),
    }
    rows = LakeFiles(settings).rows(READINGS) if "lake" in request.queries else None
    seconds = (end - plan.first_counted) / 1e6
    trends = trends_of(series, request.warmup_seconds, seconds)
    return {
        "seconds": round(seconds, 1),
        "sent": asdict(sent),
        "devices": churning.devices(end),
        "drain_seconds": drained,
        "alerts": {"due": count()[1], "came": count()[0]},
        "readings_in_delta": rows,
        "failures": backlog.failures(settings),
        **cores_used(look.before, after, sent),
        "peak_rss_mb_by": memory.highest_by(),
        "trends": trends,
        "series": series,
        "aims_met": {
            "flat": all(each["flat"] is not False for each in trends if each["judged"]),
            "nothing lost": rows in (None, sent.readings) and count()[0] == count()[1],
        },
    }


class _Looks:
    """What is noted while the load goes on. `prints`: files, disk and state, by seconds; `before`: what the processors
    had done when the warm-up ended."""

    def __init__(
        self, request: Request, settings: Settings, began: float, progress: ProgressWatch, report: Report
    ) -> None:
        self._request, self._settings, self._began = request, settings, began
        self._progress, self._report = progress, report
        self._told = 0.0
        self.prints: list[tuple[float, dict[str, Any]]] = []
        self.before = Moment.now(settings)

    def __call__(self) -> None:
        now = time.monotonic()
        warm = self._began + self._request.warmup_seconds
        if now >= warm > self.before.at:
            self.before = Moment.now(self._settings)
        if not self.prints or now - self._began - self.prints[-1][0] >= self._request.every_seconds:
            self.prints.append((now - self._began, footprint.of(self._settings)))
        if now - self._told > _TELL_SECONDS:
            self._told = now
            done, whole = max(0.0, now - self._began) / 60, self._request.warmup_seconds / 60 + self._request.minutes
            self._report(f"{done:.1f} of {whole:g} min, {self._progress.lags()}")


def _attend(
    plan: ChurningPlan, clock: SteadyClock, load: Load, watches: Sequence[Watch], look: Callable[[], None]
) -> bool:
    """Look until the load ends. False where Ctrl-C ended it, after the warm-up; before that nothing would count."""
    try:
        while clock.now() < plan.end and load.is_sending():
            for watch in watches:
                watch.require_well()
            look()
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        if clock.now() < plan.first_counted:
            raise
        load.end()
        return False
    return True


def trends_of(series: Series, warmup_seconds: float, seconds: float) -> list[dict[str, Any]]:
    """Of each figure in the counted part, `seconds` from the end of the warm-up: its level, its slope an hour with 95 %
    confidence, and 24 hours of it."""
    found = []
    for kind, by_name in series.items():
        for name, pairs in by_name.items():
            after = [(at, value) for at, value in pairs if warmup_seconds <= at < warmup_seconds + seconds]
            line = trend.fit([at for at, _ in after], [value for _, value in after], max(1.0, seconds / _WINDOWS))
            if line is None:
                continue
            found.append(
                {
                    "kind": kind,
                    "name": name,
                    "judged": kind in JUDGED,
                    "level": round(line.level, 3),
                    "an_hour": round(line.slope * 3600, 4),
                    "low": round(line.low * 3600, 4),
                    "high": round(line.high * 3600, 4),
                    "a_day_more": round(line.a_day_more(), 2),
                    "flat": trend.is_flat(line, TOLERANCE),
                }
            )
    return found


def _by_name(samples: list[tuple[float, Mapping[str, float]]]) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for at, by in samples:
        for name, value in by.items():
            found.setdefault(name, []).append((at, value))
        found.setdefault("all", []).append((at, round(sum(by.values()), 2)))
    return found


def _latencies(watch: AlertWatch, start: int, end: int) -> dict[str, list[tuple[float, float]]]:
    """Percentiles of each ten seconds, of the alerts and of the detectors' alarms."""
    found: dict[str, list[tuple[float, float]]] = {}
    for what, seen in (("alerts", watch.seen), ("alarms", watch.alarms)):
        times, waits = percentiles.latencies(seen, watch.due, start, end)
        for stretch in percentiles.over_time(times, waits, start):
            for point in ("p50", "p95", "p99"):
                found.setdefault(f"{what} {point}", []).append((stretch["from_s"], stretch[point]))
    return found


def _of_footprints(prints: list[tuple[float, dict[str, Any]]]) -> Series:
    states = [
        (at, {"rows": float(each["state"]["rows"]), "MB in memory": each["state"]["bytes"] / 2**20})
        for at, each in prints
        if each["state"]
    ]
    state = _by_name([(at, by) for at, by in states])
    state.pop("all", None)
    state["MB on disk"] = [(at, each["state_mb"]) for at, each in prints]
    return {
        "state": state,
        "checkpoint files": {"all": [(at, each["checkpoint_files"]) for at, each in prints]},
        "table files": _by_name([(at, each["table_files"]) for at, each in prints]),
        "files": _by_name([(at, each["files"]) for at, each in prints]),
        "disk MB": _by_name([(at, each["disk_mb"]) for at, each in prints]),
    }
