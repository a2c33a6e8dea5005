"""The latency benchmark: everything on this machine, an open load, and what each destination made of it.

1. a stack of its own comes up; the observers start
2. the load runs: first the warm-up, not counted, then the counted part without a pause between the two
3. the load ends; lake and sinks catch up, for a bounded time
4. ids are compared, those of the warm-up too
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import expected, machine, own_stack, percentiles, result, stored
from benchmarks.lake_files import LakeFiles
from benchmarks.load import Load, Plan, Sent
from benchmarks.observers import processes
from benchmarks.observers.all import Observers, watching
from contracts.topics import Topics
from edge.pacing import SteadyClock
from sensorlake.settings import Settings

DRAIN_SECONDS = 90.0
_LOOK_SECONDS = 0.5
_TELL_SECONDS = 10.0
Report = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What the user asks for; the seed decides fleet and values."""

    rate: float
    sensors: int
    seconds: float
    warmup_seconds: float
    violating_share: float
    seed: int


@dataclass(frozen=True)
class Moment:
    """CPU seconds used up to a moment: by the stack's processes, the observers, the machine; and its time."""

    stack: dict[str, float]
    own: float
    busy: float
    at: float

    @classmethod
    def now(cls, settings: Settings) -> "Moment":
        return cls(processes.cpu_seconds(settings), processes.own_seconds(), processes.busy_seconds(), time.monotonic())


def run(request: Request, folder: Path, report: Report, *, keep: bool) -> dict[str, Any]:
    """Measure; the document described in docs/performance.md.

    Raises:
        BenchmarkError, StackError: it could not be measured.
    """
    described = machine.describe()
    with own_stack.running(folder, report, keep=keep) as settings:
        measured = _measure(request, settings, report)
    document = {"machine": described, "load": asdict(request), "warmup_seconds": request.warmup_seconds} | measured
    return document | {"aims_met": result.verdicts(document)}


def _measure(request: Request, settings: Settings, report: Report) -> dict[str, Any]:
    clock = SteadyClock()
    files = LakeFiles(settings)
    load = Load(settings.kafka_bootstrap_servers, Topics(settings.topic_prefix).raw, clock)
    try:
        # The fleet and the expected ids are computed before the first message is due.
        plan = Plan(**asdict(request), start=clock.now() + 5_000_000 + request.sensors * 50)
        load.send(plan)
        due = expected.anomalies(plan.run())
        with watching(settings, files, clock, due, plan.start) as observers:
            before, after = _counted(plan, load, clock, observers, settings=settings, report=report)
            sent = load.sent()
            drained = _drain(observers, files, sent, len(due), report)
    finally:
        load.stop()
    report("comparing ids")
    comparisons = stored.compare_all(
        settings,
        files,
        readings=expected.reading_ids(plan.run(), sent.messages),
        anomalies=due,
        alerts=observers.alerts.ids,
    )
    counts = observers.delta.counts
    readings = expected.readings_between(plan.run(), plan.first_counted, plan.end)
    return {
        **_latencies(plan, due, observers, readings),
        "sent": sent.messages,
        "readings": sent.readings,
        "valid": counts["valid"],
        "dead_letters": counts["dead_letters"],
        "duplicates": counts["duplicates"],
        "anomalies_expected": len(due),
        **result.losses(comparisons),
        **result.cpu(before.stack, after.stack, readings),
        "peak_rss_mb": observers.memory.peak_mb,
        "peak_rss_mb_by": observers.memory.peak_by,
        **result.lag(observers.lag.samples, plan.first_counted, plan.end),
        "lake_commits": observers.delta.commits,
        "drain_seconds": drained,
        "load_generator": asdict(sent),
        **_machine_use(before, after, sent),
    }


def _counted(
    plan: Plan, load: Load, clock: SteadyClock, observers: Observers, *, settings: Settings, report: Report
) -> tuple[Moment, Moment]:
    """Wait for the load to end; what was used up when its counted part began and when it ended."""
    before, warm, told = Moment.now(settings), False, 0.0
    while (now := clock.now()) < plan.end:
        observers.require_well()
        if not load.is_sending():
            load.sent()  # says why it ended before its time
            break
        if now >= plan.first_counted and not warm:
            before, warm = Moment.now(settings), True
        if time.monotonic() - told > _TELL_SECONDS:
            told = time.monotonic()
            report(_progress(plan, now, observers))
        next_border = plan.end if warm else plan.first_counted
        time.sleep(min(_LOOK_SECONDS, max(0.0, (next_border - clock.now()) / 1e6)))
    return before, Moment.now(settings)


def _progress(plan: Plan, now: int, observers: Observers) -> str:
    part = "warm-up" if now < plan.first_counted else "counted"
    elapsed = max(0.0, (now - plan.start) / 1e6)
    lag = observers.lag.samples[-1][1] if observers.lag.samples else 0
    return (
        f"{part}: {elapsed:.0f} of {plan.warmup_seconds + plan.seconds:g} s, {len(observers.alerts.seen)} alerts, "
        f"{observers.delta.counts['valid']} readings in the lake, lag {lag}"
    )


def _drain(observers: Observers, files: LakeFiles, sent: Sent, anomalies: int, report: Report) -> float | None:
    """Wait until everything has arrived; the seconds it took, or None where it did not within the time allowed."""
    report("waiting for the lake and the sinks")
    began = time.monotonic()
    while (waited := time.monotonic() - began) < DRAIN_SECONDS:
        observers.require_well()
        watches = (observers.alerts, observers.postgres, observers.influxdb)
        if (
            observers.delta.counts["messages"] >= sent.messages
            and all(len(watch.seen) >= anomalies for watch in watches)
            and len(files.alerts()) >= anomalies
        ):
            return round(waited, 1)
        time.sleep(_LOOK_SECONDS)
    return None


def _latencies(plan: Plan, due: dict[str, int], observers: Observers, readings: int) -> dict[str, Any]:
    """The figures of each destination; `samples` says how many of the things due in the counted part were seen."""
    first, end = plan.first_counted, plan.end
    anomalies = sum(first <= when < end for when in due.values())
    figures: dict[str, Any] = {}
    observed = {}
    for name in ("alerts", "postgres", "influxdb"):
        times, waits = percentiles.latencies(getattr(observers, name).seen, due, first, end)
        figures[name], observed[name] = percentiles.summary(waits), len(waits)
        if name == "alerts":
            figures["alerts_by_10s"] = percentiles.over_time(times, waits, first)
    _, waits = observers.delta.latencies(first, end)
    figures["delta"], observed["delta"] = percentiles.summary(waits), len(waits)
    wanted = {name: readings if name == "delta" else anomalies for name in observed}
    return figures | {"samples": {name: {"seen": observed[name], "of": wanted[name]} for name in observed}}


def _machine_use(before: Moment, after: Moment, sent: Sent) -> dict[str, Any]:
    """Cores in use during the counted part; `others` is what programs beside the benchmark took away from it."""
    seconds = after.at - before.at
    stack = sum(after.stack.values()) - sum(before.stack.values())
    own = after.own - before.own
    others = (after.busy - before.busy - stack - own) / seconds - sent.cpu_share
    cores = {"stack": stack / seconds, "observers": own / seconds, "load": sent.cpu_share, "others": max(0.0, others)}
    return {"cores_used": {name: round(share, 3) for name, share in cores.items()}}
