"""What a sensor more costs: the same total rate from more and more sensors, each with limits of its own.

A fresh stack for each size. Costs: CPU a million readings, memory, disk a million readings, the detectors' state, rows
of thresholds and the file from which the alerts query takes its limits. None may grow faster than linearly.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import backlog, expected, fleet_limits, footprint, growth, own_stack, queries, result
from benchmarks.alert_count import AlertCount
from benchmarks.errors import BenchmarkError
from benchmarks.load import Load, Plan, first_due
from benchmarks.moment import Moment, cores_used
from benchmarks.observers.alerts import AlertWatch
from benchmarks.observers.processes import MemoryWatch
from benchmarks.observers.progress import ProgressWatch, TopicEnds, frontiers
from contracts.topics import Topics
from edge.pacing import SteadyClock
from lakehouse.lake import Lake
from sensorlake.errors import SensorlakeError
from sensorlake.settings import Settings

_DRAIN_SECONDS = 300.0
_LOOK_SECONDS = 0.5
_STORES = ("kafka", "minio", "postgres", "influxdb")
Report = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What the user asks for."""

    sensors: tuple[int, ...]
    rate: float
    seconds: float
    warmup_seconds: float
    violating_share: float
    seed: int
    queries: tuple[str, ...]

    def warmup(self, sensors: int) -> float:
        """Long enough for each sensor to have sent: what is not known of yet costs nothing."""
        return max(self.warmup_seconds, sensors / self.rate)


def run(request: Request, folder: Path, report: Report, *, keep: bool) -> dict[str, Any]:
    """Measure one size after the other; one that fails is noted with its reason, and the others go on. Ctrl-C ends the
    last one, and keeps those before."""
    sizes: list[dict[str, Any]] = []
    interrupted = False
    with own_stack.several(folder):
        for sensors in request.sensors:
            report(f"{sensors:,} sensors")
            try:
                sizes.append(_size(request, sensors, folder / f"sensors-{sensors}", report, keep=keep))
            except SensorlakeError as error:
                report(f"{sensors:,} sensors failed: {error}")
                sizes.append({"sensors": sensors, "failed": str(error)})
            except KeyboardInterrupt:
                if not sizes:
                    raise
                report("interrupted: the sizes before are kept")
                sizes.append({"sensors": sensors, "failed": "interrupted"})
                interrupted = True
                break
    return {"load": asdict(request), "sizes": sizes, "interrupted": interrupted, **judged(sizes)}


def judged(sizes: list[dict[str, Any]]) -> dict[str, Any]:
    """The exponent of each cost over the sizes, and whether none is above linear."""
    well = [size for size in sizes if "failed" not in size]
    numbers = [size["sensors"] for size in well]
    names = well[0]["costs"] if well else {}
    exponents = {name: growth.exponent(numbers, [size["costs"][name] for size in well]) for name in names}
    linear = {name: growth.is_linear(found) for name, found in exponents.items()}
    met = len(well) == len(sizes) and all(each is not False for each in linear.values())
    return {"exponents": exponents, "linear": linear, "aims_met": {"no cost grows faster than linearly": met}}


def _size(request: Request, sensors: int, folder: Path, report: Report, *, keep: bool) -> dict[str, Any]:
    servers = queries.servers(request.queries)
    wants_limits = "minio" in servers

    def furnish(settings: Settings) -> None:
        if wants_limits:
            report("a row of thresholds for each sensor")
            fleet_limits.publish(settings, sensors, request.seed)

    with own_stack.running(
        folder, report, keep=keep, servers=servers, queries=request.queries, furnish=furnish
    ) as settings:
        found = measure(request, sensors, settings, report)
        rows = footprint.threshold_rows(Lake.of(settings)) if wants_limits else None
    found["costs"]["threshold rows"] = rows
    return found


def measure(request: Request, sensors: int, settings: Settings, report: Report) -> dict[str, Any]:
    """The load on a stack that runs, and what it cost."""
    clock, topics = SteadyClock(), Topics(settings.topic_prefix)
    load, ends = Load(settings.kafka_bootstrap_servers, topics.raw, clock), TopicEnds(settings)
    memory, alerts = MemoryWatch(settings), AlertWatch(settings, topics.anomaly, clock)
    count = AlertCount(alerts, clock)
    progress = ProgressWatch(frontiers(settings, request.queries, ends, count))
    watches = (alerts, memory, progress)
    held = footprint.of(settings)
    failed = backlog.failures(settings)
    try:
        plan = Plan(
            sensors=sensors,
            rate=request.rate,
            warmup_seconds=request.warmup(sensors),
            seconds=request.seconds,
            seed=request.seed,
            start=first_due(clock, sensors),
            violating_share=request.violating_share,
        )
        load.send(plan)
        run = plan.run()
        if "alerts" in request.queries:
            count.expect(expected.violations_due(run))
        readings = expected.readings_between(run, plan.first_counted, plan.end)
        for watch in watches:
            watch.start()
        _until(plan.first_counted, clock, progress, report)
        before = Moment.now(settings)
        _until(plan.end, clock, progress, report)
        after = Moment.now(settings)
        sent = load.sent()
        drained = backlog.drain(progress, count, _DRAIN_SECONDS)
        found = footprint.of(settings)
    finally:
        load.stop()
        for watch in watches:
            watch.stop()
        ends.close()
    if sent.failed:
        raise BenchmarkError(f"{sent.failed} messages were not acknowledged by Kafka")
    cpu = result.cpu(before.stack, after.stack, readings)
    million = sent.readings / 1e6
    disk = {
        name: round((found["disk_mb"].get(name, 0) - held["disk_mb"].get(name, 0)) / million, 1) for name in _STORES
    }
    peaks = memory.highest_by()
    seen = backlog.between(progress.places, before.at, after.at)
    return {
        "sensors": sensors,
        "warmup_seconds": plan.warmup_seconds,
        "readings": readings,
        **cpu,
        "cpu_seconds_per_million_by": {
            name: round(used / readings * 1e6, 2) for name, used in cpu["cpu_seconds_by"].items()
        },
        "peak_rss_mb_by": peaks,
        "disk_mb_per_million_by": disk,
        "lag": {name: backlog.judged(places, request.seconds) for name, places in seen.items()},
        "drain_seconds": drained,
        "alerts": {"due": count()[1], "came": count()[0]},
        "failures": {name: times - failed.get(name, 0) for name, times in backlog.failures(settings).items()},
        "footprint": found,
        "load_generator": asdict(sent),
        **cores_used(before, after, sent),
        "costs": {
            "CPU s a million": cpu["cpu_seconds_per_million"],
            "memory MB": round(sum(peaks.values()), 1),
            "disk MB a million": round(sum(disk.values()), 1),
            "state MB": found["state_mb"],
            "state rows": (found["state"] or {}).get("rows"),
            "limits MB": found["limits_mb"],
        },
    }


def _until(moment: int, clock: SteadyClock, progress: ProgressWatch, report: Report) -> None:
    report(f"{(moment - clock.now()) / 1e6:.0f} s of load, {progress.lags()}")
    while (left := (moment - clock.now()) / 1e6) > 0:
        progress.require_well()
        time.sleep(min(_LOOK_SECONDS, left))
