"""How long Dagster's assets take for a day of many sensors: the very functions that the assets run, on a real MinIO and
PostgreSQL, with a session of Spark as the assets open it.

    readings of a day -> enriched_readings -> trends
    windows of seven days -> baselines -> threshold_candidates
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from deltalake import write_deltalake
from pyspark.sql import SparkSession

from benchmarks import lake_rows
from benchmarks.observers.own_memory import OwnMemory
from lakehouse import creation, registry, session, thresholds
from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES, FEATURES, READINGS
from orchestration.learning import refresh
from orchestration.transforms import daily, registry_facts
from sensorlake import settings as settings_module
from sensorlake.settings import Settings
from stack import jars, java
from stack.up import bring_down, bring_up

Report = Callable[[str], None]
_MEMORY = "2g"
_SHORT = timedelta(hours=6)


@dataclass(frozen=True)
class Step:
    """One step: `rows` that it read, seconds, and the most memory that all processes had meanwhile."""

    name: str
    rows: int
    seconds: float
    peak_mb: float


def run(sensors: int, days: int, folder: Path, report: Report) -> list[Step]:
    """Fill a lake with `days` days of readings and a week of windows, then time each asset's work; the first day is
    worked through when it is the only one and again when all are there."""
    settings = settings_module.load(folder)
    try:
        settings = bring_up(settings, ["minio", "postgres"], lambda name, event: report(f"{name} {event}"))
        registry.migrate(settings)
        return [*_days(sensors, days, settings, report), *_week(sensors, settings, report)]
    finally:
        bring_down(settings)


def _days(sensors: int, days: int, settings: Settings, report: Report) -> list[Step]:
    lake, rows = Lake.of(settings), sensors * 1440
    wanted = lake_rows.days_before(datetime.now(UTC).date(), days)
    creation.ensure(lake, ANOMALIES)
    write_day(lake, sensors, wanted[0], report)
    spark = open_spark(settings, report)
    steps = []

    def work(label: str) -> None:
        day = wanted[0]
        facts = registry_facts.read(settings, day)
        steps.append(timed(f"enriched_readings {label}", rows, lambda: daily.write_enriched(spark, lake, facts, day)))
        steps.append(timed(f"trends {label}", rows, lambda: daily.write_trends(spark, lake, day)))

    try:
        work("of the only day")
        for day in wanted[1:]:
            write_day(lake, sensors, day, report)
        if days > 1:
            work(f"of the same day among {days}")
    finally:
        spark.stop()
    return steps


def _week(sensors: int, settings: Settings, report: Report) -> list[Step]:
    lake, now = Lake.of(settings), datetime.now(UTC).replace(second=0, microsecond=0)
    table = creation.ensure(lake, FEATURES)
    rules = registry.alert_rules(settings)
    thresholds.ensure_first_version(lake, rules)
    rows = 0
    for day in range(settings.baseline_days):
        end = now - timedelta(days=day)
        parts = [(end - timedelta(days=1), end, "tumbling_5m")]
        if day == 0:
            parts = [(end - timedelta(days=1), end - _SHORT, "tumbling_5m"), (end - _SHORT, end, "tumbling_1m")]
        for number, (start, stop, kind) in enumerate(parts):
            made = lake_rows.windows(sensors, start, stop, kind, seed=10 * day + number)
            rows += made.num_rows
            write_deltalake(table, made, mode="append")
        report(f"windows of {settings.baseline_days - day - 1} more days to write")
    return [
        timed("baselines", rows, lambda: refresh.write_baselines(lake, settings)),
        timed("threshold_candidates", rows, lambda: refresh.write_candidates(lake, settings, rules)),
        timed("checks of candidates", rows, lambda: refresh.verdicts(lake, settings)),
    ]


def open_spark(settings: Settings, report: Report) -> SparkSession:
    """A session as the assets open it."""
    own = settings.model_copy(update={"spark_driver_memory": _MEMORY})
    began = time.monotonic()
    spark = session.build(own, jars.spark_classpath(), java.java_home(), cores=2, options=session.BOUNDED)
    report(f"Spark started in {time.monotonic() - began:.1f} s")
    return spark


def write_day(lake: Lake, sensors: int, day: date, report: Report) -> None:
    table = creation.ensure(lake, READINGS)
    for rows in lake_rows.readings(sensors, day, seed=0):
        write_deltalake(table, rows, mode="append")
    report(f"{sensors * 1440:,} readings of {day} written")


def timed(name: str, rows: int, work: Callable[[], object]) -> Step:
    memory = OwnMemory()
    memory.start()
    began = time.monotonic()
    try:
        work()
        return Step(name, rows, round(time.monotonic() - began, 1), memory.peak_mb)
    finally:
        memory.stop()
