"""The benchmark of the query `detect`: it alone on this machine, an open load with faults in it, and when each alarm
of the detectors reached the anomaly topic.

The same messages are judged afterwards without Spark, in one piece: both must raise the same alarms.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks import machine, own_stack, percentiles, result
from benchmarks.load import Load, Paced, first_due
from benchmarks.moment import Moment
from benchmarks.observers.alerts import AlertWatch
from benchmarks.observers.processes import MemoryWatch
from contracts import identity
from contracts.detectors import is_learned, learned
from contracts.topics import Topics
from detection import standard
from detection.fleet import Fleet
from detection.messages import Readings
from edge.block import Block
from edge.pacing import Source, SteadyClock
from edge.simulator import Simulator
from sensorlake.settings import Settings

AIMS = {"p95 of an alarm, ms": 700.0, "CPU seconds a million messages": 80.0}
QUIET_SECONDS = 10.0
_MOST_SECONDS = 120.0
_CHUNK = 20_000
_LOOK_SECONDS = 0.5
Report = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What the user asks for; the seed decides fleet, values and faults."""

    rate: float
    sensors: int
    seconds: float
    warmup_seconds: float
    fault_share: float
    seed: int


@dataclass(frozen=True)
class FaultyPlan(Paced):
    """A run of the simulator with its own faults, `fault_share` of the sensors."""

    fault_share: float

    def run(self) -> Source:
        whole = self.warmup_seconds + self.seconds
        return Simulator(self.sensors, self.fault_share, self.seed, self.start, rate=self.rate, seconds=whole)


def run(request: Request, folder: Path, report: Report, *, keep: bool) -> dict[str, Any]:
    """Measure; one document.

    Raises:
        BenchmarkError, StackError: it could not be measured.
    """
    described = machine.describe()
    with own_stack.running(folder, report, keep=keep, servers=["kafka", "postgres"], queries=["detect"]) as settings:
        plan, measured, seen = _measure(request, settings, report)
    report("judging the same messages offline")
    due = expected(plan.run())
    times, waits = percentiles.latencies(seen, due, plan.first_counted, plan.end)
    document = {
        "machine": described,
        "load": asdict(request),
        "alarm_ms": percentiles.summary(waits),
        "alarm_ms_by_10s": percentiles.over_time(times, waits, plan.first_counted),
        "alarms": {
            "offline": len(due),
            "stream": len(seen),
            "missing": len(due.keys() - seen.keys()),
            "unexpected": len(seen.keys() - due.keys()),
        },
        **measured,
    }
    figures = (document["alarm_ms"]["p95"], document["stream_cpu_seconds_per_million_messages"])
    met = {
        name: figure is not None and figure <= limit
        for (name, limit), figure in zip(AIMS.items(), figures, strict=True)
    }
    return document | {"aims": AIMS, "aims_met": met}


def expected(run: Source) -> dict[str, int]:
    """Event time (microseconds since 1970) by id of every alarm that the messages of a run raise."""
    fleet = Fleet(standard.ensemble())
    found: dict[str, int] = {}
    for first in range(0, run.total or 0, _CHUNK):
        readings = _readings(run.block(first, _CHUNK))
        verdicts = fleet.judge(readings)
        began = verdicts.where(verdicts.began.astype(np.bool_))
        for device, metric, at, detector in zip(
            began.device.tolist(), began.metric.tolist(), began.time.tolist(), began.detector.tolist(), strict=True
        ):
            name = readings.devices[device]
            detected = learned(fleet.ensemble.names[detector])
            found[identity.anomaly_id(name, fleet.metrics(name)[metric], at, detected)] = at
    return found


def _readings(block: Block) -> Readings:
    devices: dict[str, int] = {}
    metrics: dict[str, int] = {}
    rows = []
    for payload, due in zip(block.payloads, block.due.tolist(), strict=True):
        for device, metric, value in _measured(orjson.loads(payload)):
            rows.append(
                (devices.setdefault(device, len(devices)), metrics.setdefault(metric, len(metrics)), due, value)
            )
    numbers = np.array([row[:3] for row in rows], dtype=np.int64)
    values = np.array([row[3] for row in rows])
    device, metric, at = numbers.T
    return Readings(list(devices), list(metrics), device, metric, at, values)


_NOT_MEASURED = ("device_id", "sensor_id", "timestamp", "location", "unit", "meta")


def _measured(body: dict[str, Any]) -> list[tuple[str, str, float]]:
    device = body.get("device_id") or body["sensor_id"]
    if "metric" in body:
        return [(device, body["metric"], float(body["value"]))]
    return [(device, name, float(value)) for name, value in body.items() if name not in _NOT_MEASURED]


def _measure(request: Request, settings: Settings, report: Report) -> tuple[FaultyPlan, dict[str, Any], dict[str, int]]:
    clock = SteadyClock()
    topics = Topics(settings.topic_prefix)
    load = Load(settings.kafka_bootstrap_servers, topics.raw, clock)
    watch, memory = AlertWatch(settings, topics.anomaly, clock, is_learned), MemoryWatch(settings)
    try:
        plan = FaultyPlan(
            sensors=request.sensors,
            rate=request.rate,
            warmup_seconds=request.warmup_seconds,
            seconds=request.seconds,
            seed=request.seed,
            start=first_due(clock, request.sensors),
            fault_share=request.fault_share,
        )
        load.send(plan)
        watch.start()
        memory.start()
        _until(plan.first_counted, clock, watch, report)
        before = Moment.now(settings)
        _until(plan.end, clock, watch, report)
        after = Moment.now(settings)
        sent = load.sent()
        _settle(watch, clock)
    finally:
        load.stop()
        watch.stop()
        memory.stop()
    seconds = after.at - before.at
    stream = sum(after.stack[name] - before.stack.get(name, 0.0) for name in after.stack if name.startswith("stream"))
    others = after.busy - before.busy - sum(after.stack.values()) + sum(before.stack.values())
    return (
        plan,
        {
            "stream_cpu_seconds_per_million_messages": round(stream / (request.rate * request.seconds) * 1e6, 1),
            "stream_cores": round(stream / seconds, 3),
            "readings_per_message": round(sent.readings / sent.messages, 2),
            "cores_used_by_others": round(others / seconds - sent.cpu_share, 3),
            **result.cpu(before.stack, after.stack, round(request.rate * request.seconds)),
            "peak_rss_mb_by": memory.peak_by,
            "load_generator": asdict(sent),
        },
        watch.seen,
    )


def _until(moment: int, clock: SteadyClock, watch: AlertWatch, report: Report) -> None:
    report(f"{len(watch.seen)} alarms so far, going on for {(moment - clock.now()) / 1e6:.0f} s")
    while (left := (moment - clock.now()) / 1e6) > 0:
        watch.require_well()
        time.sleep(min(_LOOK_SECONDS, left))


def _settle(watch: AlertWatch, clock: SteadyClock) -> None:
    """Until no alarm has come for a while."""
    began = clock.now()
    while clock.now() - began < _MOST_SECONDS * 1e6:
        latest = max(watch.seen.values(), default=began)
        if clock.now() - max(latest, began) > QUIET_SECONDS * 1e6:
            return
        watch.require_well()
        time.sleep(_LOOK_SECONDS)
