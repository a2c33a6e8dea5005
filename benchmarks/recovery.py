"""How long it takes until alerts are as fast as before, once the stream was killed under load.

1. a stack of its own comes up, and the load runs: what alerts take before is the measure of "normal"
2. `kill -9` of the stream's whole process tree; its supervisor starts it again, and the load goes on all the while
3. alerts are back to normal from the first five seconds on whose p95, and that of all later ones, is at most one and a
   half times the highest of the minute before
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks import expected, machine, own_stack, percentiles, queries, result, stored
from benchmarks.errors import BenchmarkError
from benchmarks.lake_files import LakeFiles
from benchmarks.load import Load, Plan, first_due
from benchmarks.observers.alerts import AlertWatch
from contracts.topics import Topics
from edge.pacing import Clock, SteadyClock
from sensorlake.settings import Settings
from stack import status, supervisor
from stack.layout import Layout

AIM_SECONDS = 30.0
"""From the start of the new process."""
WINDOW_SECONDS = 5.0
_SLACK = 1.5
_BEFORE_SECONDS = 60.0
_DRAIN_SECONDS = 90.0
_LOOK_SECONDS = 0.1
_NEVER = 2**62
Report = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What the user asks for. The stream is killed between `before_seconds` and `after_seconds` of the same load."""

    rate: float
    sensors: int
    before_seconds: float
    after_seconds: float
    violating_share: float
    seed: int
    queries: tuple[str, ...]


@dataclass(frozen=True)
class Restart:
    """Moments in microseconds since 1970: the kill, the new process, all its queries running. None: not in time."""

    killed: int
    started: int | None
    running: int | None


def run(request: Request, folder: Path, report: Report, *, keep: bool) -> dict[str, Any]:
    """Measure on a stack of its own; one document.

    Raises:
        BenchmarkError, StackError: it could not be measured.
    """
    described, servers = machine.describe(), queries.servers(request.queries)
    with own_stack.running(folder, report, keep=keep, servers=servers, queries=request.queries) as settings:
        found = _measure(request, settings, report)
    return {"machine": described, "load": asdict(request)} | found


def _measure(request: Request, settings: Settings, report: Report) -> dict[str, Any]:
    clock, topics = SteadyClock(), Topics(settings.topic_prefix)
    load, alerts = (
        Load(settings.kafka_bootstrap_servers, topics.raw, clock),
        AlertWatch(settings, topics.anomaly, clock),
    )
    try:
        plan = Plan(
            sensors=request.sensors,
            rate=request.rate,
            warmup_seconds=request.before_seconds,
            seconds=request.after_seconds,
            seed=request.seed,
            start=first_due(clock, request.sensors, request.rate * (request.before_seconds + request.after_seconds)),
            violating_share=request.violating_share,
        )
        load.send(plan)
        due = expected.anomalies(plan.run())
        alerts.start()
        report(f"{request.before_seconds:g} s of load before the kill")
        while clock.now() < plan.first_counted:
            alerts.require_well()
            time.sleep(_LOOK_SECONDS)
        restart = _kill(settings, plan, clock, alerts, report)
        sent = load.sent()
        report("waiting for the rest of the alerts")
        deadline = time.monotonic() + _DRAIN_SECONDS
        while not due.keys() <= alerts.seen.keys() and time.monotonic() < deadline:
            alerts.require_well()
            time.sleep(_LOOK_SECONDS)
    finally:
        load.stop()
        alerts.stop()
    compared = stored.compare_alerts(
        settings, LakeFiles(settings), queries=("alerts",), anomalies=due, alerts=alerts.ids
    )
    return {
        "sent": asdict(sent),
        **judged(alerts.seen, due, plan, restart),
        **result.losses(compared),
    }


def _kill(settings: Settings, plan: Plan, clock: Clock, alerts: AlertWatch, report: Report) -> Restart:
    """Kill the stream, and watch until the load ends."""
    layout = Layout.of(settings)
    info = supervisor.processes(layout).get("stream")
    if info is None or not info.pid:
        raise BenchmarkError("the stream ended before it was killed")
    old, stream = info.pid, psutil.Process(info.pid)
    for process in [stream, *stream.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # one that ended with those before it
            process.kill()
    killed, started, running = clock.now(), None, None
    report("killed")
    while clock.now() < plan.end:
        alerts.require_well()
        if started is None and (info := supervisor.processes(layout).get("stream")) and info.pid not in (0, old):
            started = clock.now()
            report(f"started again {(started - killed) / 1e6:.1f} s after it")
        if started is not None and running is None and _all_run(layout, started):
            running = clock.now()
            report(f"all queries run {(running - killed) / 1e6:.1f} s after it")
        time.sleep(_LOOK_SECONDS)
    return Restart(killed, started, running)


def _all_run(layout: Layout, since: int) -> bool:
    """Whether a report of the stream that is newer than `since` says so."""
    path = layout.queries_file
    try:
        if path.stat().st_mtime * 1e6 < since:
            return False
        found = status.queries(path.read_text("utf-8"))
        return bool(found) and all(query["state"] == "running" for query in found.values())
    except OSError:
        return False


def judged(seen: dict[str, int], due: dict[str, int], plan: Plan, restart: Restart) -> dict[str, Any]:
    """The figures before and after, and the seconds from the kill until each step."""
    first = max(plan.start, restart.killed - round(_BEFORE_SECONDS * 1e6))
    before_times, before = percentiles.latencies(seen, due, first, restart.killed - round(WINDOW_SECONDS * 1e6))
    # What never came waits for ever: left out, it would make a stream that fell silent look fast.
    after_times, after = percentiles.latencies(dict.fromkeys(due, _NEVER) | seen, due, restart.killed, plan.end)
    windows = percentiles.over_time(after_times, after, restart.killed, WINDOW_SECONDS)
    usual = percentiles.over_time(before_times, before, first, WINDOW_SECONDS)
    normal = _SLACK * max((window["p95"] for window in usual), default=0.0)
    again = back_to(windows, normal)

    def seconds(moment: int | None, since: int) -> float | None:
        return None if moment is None else round((moment - since) / 1e6, 1)

    arrivals = [seen[name] for name, when in due.items() if name in seen and seen[name] > restart.killed]
    first_alert = min((at for at in arrivals if restart.started and at >= restart.started), default=None)
    to_start = seconds(restart.started, restart.killed)
    normal_after_start = None if again is None or to_start is None else round(again - to_start, 1)
    return {
        "before": percentiles.summary(before),
        "normal_p95": round(normal, 1),
        "seconds_after_kill": {
            "new process": to_start,
            "first alert": seconds(first_alert, restart.killed),
            "all queries run": seconds(restart.running, restart.killed),
            "alerts as fast as before": again,
        },
        "seconds_from_start_to_normal": normal_after_start,
        "longest_wait_ms": percentiles.summary(percentiles.latencies(seen, due, restart.killed, plan.end)[1])["max"],
        "after": None if again is None else percentiles.summary(after[after_times >= restart.killed + again * 1e6]),
        "by_5s": windows,
        "aims": {"seconds from start to normal": AIM_SECONDS},
        "aims_met": {
            "seconds from start to normal": normal_after_start is not None and normal_after_start <= AIM_SECONDS
        },
    }


def back_to(windows: Sequence[dict[str, Any]], normal: float) -> float | None:
    """From which of `windows` on (its `from_s`) p95 is at most `normal` to the last; None: from none."""
    since = None
    for window in reversed(windows):
        if window["p95"] > normal:
            break
        since = window["from_s"]
    return since
