"""Reads a day from the lake, computes, and replaces the day in one commit: where the daily assets meet the storage."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, write_deltalake
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from contracts.shapes import spark_ddl
from lakehouse import creation
from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES, ENRICHED_READINGS, READINGS, TRENDS, Table
from orchestration.transforms import enrichment, trends
from orchestration.transforms.registry_facts import RegistryFacts

# Of 14 million readings a day a Python worker has a sixteenth in its memory at once.
_SHARDS = 16
# A silence that began so many days before is still seen as one.
_LOOK_BACK = range(1, 8)


@dataclass(frozen=True)
class Written:
    """What a commit holds, for the asset's page. `rows`: of the day itself."""

    rows: int
    metadata: dict[str, Any]


def write_enriched(spark: SparkSession, lake: Lake, facts: RegistryFacts, day: date) -> Written:
    """Replace `day` of `enriched_readings`; `facts` are the registry's for that day.

    Raises:
        LakeError: the stream has written no readings yet.
    """
    version = lake.existing(READINGS).version()
    creation.ensure(lake, ENRICHED_READINGS)
    arrived, kept = Observation(), Observation()
    readings = _day(spark, lake, READINGS, day, version).observe(arrived, F.count(F.lit(1)).alias("rows"))
    rows = enrichment.enrich(readings, _day(spark, lake, ANOMALIES, day), facts)
    rows = rows.observe(
        kept,
        F.count(F.lit(1)).alias("rows"),
        F.count_if("in_maintenance").alias("in_maintenance"),
        F.count_if(~F.col("registered")).alias("unregistered"),
    )
    note = {"day": day.isoformat(), "readings_version": version}
    (
        rows.write.format("delta")
        .mode("overwrite")
        .option("replaceWhere", f"event_date = '{day.isoformat()}'")
        .option("userMetadata", json.dumps(note))
        .save(ENRICHED_READINGS.path(lake.root))
    )
    counted = kept.get
    metadata = {
        "rows": counted["rows"],
        "duplicates_left_out": arrived.get["rows"] - counted["rows"],
        "in_maintenance": counted["in_maintenance"],
        "of_unregistered_devices": counted["unregistered"],
        "readings_version": version,
        "table_version": lake.open(ENRICHED_READINGS).version(),
    }
    return Written(counted["rows"], metadata)


def write_trends(spark: SparkSession, lake: Lake, day: date) -> Written:
    """Replace the hours and the day `day` of `trends`, and the week and the month that it lies in.

    Raises:
        LakeError: there are no enriched readings yet.
    """
    version = lake.existing(ENRICHED_READINGS).version()
    readings = _day(spark, lake, ENRICHED_READINGS, day, version).select(*trends.COLUMNS)
    shard = F.pmod(F.xxhash64("device_id"), F.lit(_SHARDS))
    found = readings.groupBy(shard).applyInArrow(trends.of_readings, spark_ddl(TRENDS.record)).toArrow()
    return store_trends(lake, day, found, version)


def store_trends(lake: Lake, day: date, found: pa.Table, version: int) -> Written:
    """Compare the trends `found` of a day and its hours with the periods before, and replace them, the week and the
    month; `version`: of the enriched readings that they were made from."""
    table = creation.ensure(lake, TRENDS)
    fresh = _in_utc(found)
    day_before = _rows(table, "day", [day - timedelta(days=1)])
    hour_before = _rows(table, "hour", [day - timedelta(days=1)])
    fresh = trends.across_midnight(fresh, _rows(table, "day", [day - timedelta(days=back) for back in _LOOK_BACK]))
    today = fresh.filter(pc.equal(fresh["period"], "day"))
    parts = [trends.compared(fresh, pa.concat_tables([day_before, hour_before]))]
    week, month = trends.week_of(day), trends.month_of(day)
    for period, start in (("week", week), ("month", month)):
        others = [other for other in _days_of(period, start) if other != day]
        whole = trends.of_days(pa.concat_tables([_rows(table, "day", others), today]), period, start)
        before = trends.previous(period, start)
        parts.append(trends.compared(whole, _rows(table, period, [before])))
    replaced = (
        f"(period in ('hour', 'day') and event_date = '{day.isoformat()}')"
        f" or (period = 'week' and event_date = '{week.isoformat()}')"
        f" or (period = 'month' and event_date = '{month.isoformat()}')"
    )
    note = {"day": day.isoformat(), "enriched_readings_version": version}
    write_deltalake(
        table,
        pa.concat_tables(parts),
        mode="overwrite",
        predicate=replaced,
        commit_properties=CommitProperties(custom_metadata={"userMetadata": json.dumps(note)}),
    )
    counts = {period: part.num_rows for period, part in zip(("week", "month"), parts[1:], strict=True)}
    metadata = {
        "rows": fresh.num_rows,
        "series": today.num_rows,
        "readings": int(pc.sum(today["count"]).as_py() or 0),
        "gaps": int(pc.sum(today["gaps"]).as_py() or 0),
        "anomalies": int(pc.sum(today["anomalies"]).as_py() or 0),
        "rows_of_week": counts["week"],
        "rows_of_month": counts["month"],
        "enriched_readings_version": version,
        "table_version": lake.open(TRENDS).version(),
    }
    return Written(fresh.num_rows, metadata)


def _day(spark: SparkSession, lake: Lake, table: Table, day: date, version: int | None = None) -> DataFrame:
    """The day's rows, of one version of the table: a late commit must not count half."""
    opened = version if version is not None else lake.existing(table).version()
    rows = spark.read.format("delta").option("versionAsOf", opened).load(table.path(lake.root))
    return rows.where(F.col("event_date") == F.lit(day))


def _rows(table: DeltaTable, period: str, days: list[date]) -> pa.Table:
    """Rows of `trends`; `days` are those on which their periods begin."""
    if not days:
        return trends.SCHEMA.empty_table()
    chosen = (ds.field("period") == period) & ds.field("event_date").isin(days)
    return table.to_pyarrow_table(filters=chosen).select(trends.SCHEMA.names).cast(trends.SCHEMA)


def _days_of(period: str, start: date) -> list[date]:
    length = 7 if period == "week" else (trends.month_of(start + timedelta(days=31)) - start).days
    return [start + timedelta(days=place) for place in range(length)]


def _in_utc(rows: pa.Table) -> pa.Table:
    return rows.select(trends.SCHEMA.names).cast(trends.SCHEMA)
