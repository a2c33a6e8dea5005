"""The latency benchmark: everything on this machine, an open load, and what each destination made of it.

At each rate anew, so that each begins under the same conditions:

1. a stack of its own comes up; the observers start
2. the load runs: first the warm-up, not counted, then the counted part without a pause between the two
3. the load ends; lake and sinks catch up, for a bounded time
4. ids are compared, those of the warm-up too
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from numpy.typing import NDArray

from benchmarks import expected, machine, own_stack, percentiles, queries, result, stored
from benchmarks.errors import BenchmarkError
from benchmarks.lake_files import LakeFiles
from benchmarks.load import Load, Plan, Sent, first_due
from benchmarks.moment import Moment, cores_used
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
    """What the user asks for; the seed decides fleet, values and faults."""

    rate: float
    sensors: int
    seconds: float
    warmup_seconds: float
    violating_share: float
    fault_share: float
    seed: int
    queries: tuple[str, ...]

    def plan(self, clock: SteadyClock) -> Plan:
        messages = self.rate * (self.warmup_seconds + self.seconds)
        return Plan(
            sensors=self.sensors,
            rate=self.rate,
            warmup_seconds=self.warmup_seconds,
            seconds=self.seconds,
            seed=self.seed,
            start=first_due(clock, self.sensors, messages),
            violating_share=self.violating_share,
            fault_share=self.fault_share,
        )


def run_all(requests: Sequence[Request], folder: Path, report: Report, *, keep: bool) -> dict[str, Any]:
    """Measure one after the other; the document described in docs/performance.md. Ctrl-C ends the last one, and keeps
    those before.

    Raises:
        BenchmarkError, StackError: one could not be measured.
    """
    described, runs = machine.describe(), []
    with own_stack.several(folder):
        for request in requests:
            report(f"{request.rate:g} messages a second, {queries.told(request.queries)}")
            own = folder if len(requests) == 1 else folder / f"rate-{request.rate:g}"
            try:
                runs.append(run(request, own, report, keep=keep))
            except KeyboardInterrupt:
                if not runs:
                    raise
                report("interrupted: the rates before are kept")
                break
    return {"machine": described, "runs": runs}


def run(request: Request, folder: Path, report: Report, *, keep: bool) -> dict[str, Any]:
    """Measure once, on a stack of its own.

    Raises:
        BenchmarkError, StackError: it could not be measured.
    """
    servers = queries.servers(request.queries)
    with own_stack.running(folder, report, keep=keep, servers=servers, queries=request.queries) as settings:
        measured = _measure(request, settings, report)
    document = {"load": asdict(request), "warmup_seconds": request.warmup_seconds} | measured
    return document | {"aims_met": result.verdicts(document)}


def _measure(request: Request, settings: Settings, report: Report) -> dict[str, Any]:
    clock = SteadyClock()
    files = LakeFiles(settings)
    load = Load(settings.kafka_bootstrap_servers, Topics(settings.topic_prefix).raw, clock)
    try:
        # The fleet and the expected ids are computed before the first message is due.
        plan = request.plan(clock)
        load.send(plan)
        due = expected.anomalies(plan.run()) if "alerts" in request.queries else {}
        if clock.now() > plan.start:
            raise BenchmarkError("this machine was too busy to be ready when the first message was due: try again")
        with watching(settings, request.queries, files, clock, due=due, start=plan.start) as observers:
            before, after = _counted(plan, load, clock, observers, settings=settings, report=report)
            sent = load.sent()
            drained = _drain(request, observers, files, sent, len(due), report=report)
    finally:
        load.stop()
    report("comparing ids")
    comparisons = stored.compare_all(
        settings,
        files,
        queries=request.queries,
        readings=_reading_ids(request, plan, sent),
        anomalies=due,
        alerts=observers.alerts.ids,
    )
    counts = observers.delta.counts if observers.delta else {}
    readings = expected.readings_between(plan.run(), plan.first_counted, plan.end)
    return {
        **_latencies(plan, due, observers, readings),
        "sent": sent.messages,
        "readings": sent.readings,
        **{name: counts.get(name) for name in ("valid", "dead_letters", "duplicates")},
        "anomalies_expected": len(due),
        **result.losses(comparisons),
        **result.cpu(before.stack, after.stack, readings),
        "peak_rss_mb": observers.memory.peak_mb,
        "peak_rss_mb_by": observers.memory.peak_by,
        **(result.lag(observers.lag.samples, plan.first_counted, plan.end) if observers.lag else {}),
        "lake_commits": observers.delta.commits if observers.delta else None,
        "drain_seconds": drained,
        "load_generator": asdict(sent),
        **cores_used(before, after, sent),
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
    found = [f"{len(observers.alerts.seen)} alerts", f"{len(observers.alerts.alarms)} alarms"]
    if observers.delta and observers.lag:
        lag = observers.lag.samples[-1][1] if observers.lag.samples else 0
        found += [f"{observers.delta.counts['valid']} readings in the lake", f"lag {lag}"]
    return f"{part}: {elapsed:.0f} of {plan.warmup_seconds + plan.seconds:g} s, {', '.join(found)}"


def _drain(
    request: Request, observers: Observers, files: LakeFiles, sent: Sent, anomalies: int, *, report: Report
) -> float | None:
    """Wait until everything has arrived; the seconds it took, or None where it did not within the time allowed."""
    report("waiting for the lake and the sinks")
    stored_in_delta = {"alerts", "anomalies"} <= set(request.queries)
    began = time.monotonic()
    while (waited := time.monotonic() - began) < DRAIN_SECONDS:
        observers.require_well()
        if (
            (observers.delta is None or observers.delta.counts["messages"] >= sent.messages)
            and ("alerts" not in request.queries or all(len(w.seen) >= anomalies for w in observers.of_anomalies))
            and (not stored_in_delta or len(files.alerts()) >= anomalies)
        ):
            return round(waited, 1)
        time.sleep(_LOOK_SECONDS)
    return None


def _reading_ids(request: Request, plan: Plan, sent: Sent) -> pa.ChunkedArray:
    if "lake" not in request.queries:
        return pa.chunked_array([], pa.string())
    return expected.reading_ids(plan.run(), sent.messages)


def _latencies(plan: Plan, due: dict[str, int], observers: Observers, readings: int) -> dict[str, Any]:
    """The figures of each destination; `samples` says how many of the things due in the counted part were seen. How
    many alarms were due, the same detectors say offline (`bench detect`); here it stays open (None)."""
    first, end = plan.first_counted, plan.end
    anomalies = sum(first <= when < end for when in due.values())
    found: dict[str, tuple[NDArray[np.float64], int | None]] = {}
    figures: dict[str, Any] = {}

    def of(name: str, seen: Mapping[str, int], when_due: Mapping[str, int], count: int | None) -> None:
        times, waits = percentiles.latencies(seen, when_due, first, end)
        found[name] = waits, count
        if name in ("alerts", "alarms"):
            figures[f"{name}_by_10s"] = percentiles.over_time(times, waits, first)

    if anomalies:
        for watch in observers.of_anomalies:
            of(watch.name, watch.seen, due, anomalies)
    if observers.alerts.alarms:
        of("alarms", observers.alerts.alarms, observers.alerts.due, None)
    if observers.delta is not None:
        found["delta"] = observers.delta.latencies(first, end)[1], readings
    figures |= {name: percentiles.summary(waits) for name, (waits, _) in found.items()}
    return figures | {"samples": {name: {"seen": len(waits), "of": count} for name, (waits, count) in found.items()}}
