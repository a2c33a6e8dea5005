"""What days of history cost: the stream's work must not depend on them, nor that of a day on the other days.

One stack. The lake is filled up to each number of days while the stream is down; then the stream takes a load, and then
the assets of one day are made, the same day each time. At the end the assets of a day of four times the readings.
"""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import growth, lakehouse, own_stack, queries, scale
from lakehouse import creation, registry
from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES
from orchestration.transforms import daily, registry_facts
from sensorlake.settings import PREFIX, Settings

LARGER = 4
CONSTANT = 1.25
"""What is measured twice on a shared machine differs by up to a fifth."""
# It would put the days that are filled in between into InfluxDB, as it would any other readings.
_LEFT_OUT = ("metrics",)
_READINGS_A_DAY = 1440
_KEEP_DAYS = "36500"
Report = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What the user asks for. `sensors`: each with a reading a minute in the history, and the load's fleet."""

    days: tuple[int, ...]
    sensors: int
    load: scale.Request


def run(request: Request, folder: Path, report: Report, *, keep: bool) -> dict[str, Any]:
    """Measure; one document.

    Raises:
        BenchmarkError, StackError: it could not be measured.
    """
    # The stream would delete what is older than a month.
    os.environ[PREFIX + "RAW_RETENTION_DAYS"] = _KEEP_DAYS
    chosen = tuple(name for name in request.load.queries if name not in _LEFT_OUT)
    load = replace(request.load, queries=chosen)
    today = datetime.now(UTC).date()
    found: list[dict[str, Any]] = []
    with (
        own_stack.several(folder.parent),
        own_stack.running(
            folder, report, keep=keep, servers=queries.servers(chosen), queries=chosen, stream=False
        ) as settings,
    ):
        lake = Lake.of(settings)
        registry.migrate(settings)
        creation.ensure(lake, ANOMALIES)
        filled = 0
        for days in sorted(request.days):
            for place in range(filled, days):
                lakehouse.write_day(lake, request.sensors, today - timedelta(days=place + 1), report)
            filled = days
            own_stack.start_stream(settings, chosen, report)
            streamed = scale.measure(load, request.sensors, settings, report)
            own_stack.stop_stream(settings, report)
            worked = _day_s_work(settings, request.sensors, today - timedelta(days=1), report)
            found.append({"days": days, "stream": streamed, "day": worked})
        large = today - timedelta(days=filled + 1)
        lakehouse.write_day(lake, LARGER * request.sensors, large, report)
        larger = _day_s_work(settings, LARGER * request.sensors, large, report)
    return {"history": asdict(request), "lakes": found, "larger_day": larger, **judged(found, larger)}


def judged(lakes: list[dict[str, Any]], larger: dict[str, Any]) -> dict[str, Any]:
    """How much the costs differ over the days of history, and the day's cost over its size."""
    stream = growth.spread([lake["stream"]["cpu_seconds_per_million"] or 0.0 for lake in lakes])
    day = growth.spread([lake["day"]["seconds"] for lake in lakes])
    size = growth.exponent([1, LARGER], [lakes[-1]["day"]["seconds"], larger["seconds"]])
    return {
        "stream_cpu_highest_over_lowest": stream,
        "day_seconds_highest_over_lowest": day,
        "day_exponent_of_its_size": size,
        "aims_met": {
            "the stream's cost is constant": stream is None or stream <= CONSTANT,
            "a day's cost is constant": day is None or day <= CONSTANT,
            "a day's cost is proportional to the day": growth.is_linear(size) is not False,
        },
    }


def _day_s_work(settings: Settings, sensors: int, day: date, report: Report) -> dict[str, Any]:
    """The assets of a day, twice in one session: Java compiles its code the first time."""
    lake, rows = Lake.of(settings), sensors * _READINGS_A_DAY
    spark = lakehouse.open_spark(settings, report)
    try:
        facts = registry_facts.read(settings, day)
        rounds = [
            [
                lakehouse.timed("enriched_readings", rows, lambda: daily.write_enriched(spark, lake, facts, day)),
                lakehouse.timed("trends", rows, lambda: daily.write_trends(spark, lake, day)),
            ]
            for _ in range(2)
        ]
    finally:
        spark.stop()
    return {
        "rows": rows,
        "seconds": round(sum(step.seconds for step in rounds[-1]), 2),
        "first_seconds": round(sum(step.seconds for step in rounds[0]), 2),
        "peak_mb": max(step.peak_mb for steps in rounds for step in steps),
        "steps": [asdict(step) for step in rounds[-1]],
    }
