"""Reads a day of the lake and loads it into schema `facts`: where reports meet the storage."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake.exceptions import DeltaError

from lakehouse import facts, retention, thresholds
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.tables import DEAD_LETTERS, ENRICHED_READINGS, QUALITY, READINGS, TRENDS, Table
from orchestration.transforms import facts as shaped
from sensorlake.errors import ThresholdsError
from sensorlake.settings import Settings

_TREND_COLUMNS = ("device_id", "metric", "count", "mean", "stddev", "min", "max", "anomalies", "gaps", "gap_seconds")
_HOUR_COLUMNS = ("period_start", "device_id", "count", "anomalies")
_ROWS_AT_ONCE = 131_072
# The day was enriched by one of the last of them, or long ago.
_COMMITS = 500


def load(settings: Settings, lake: Lake, day: date) -> dict[str, Any]:
    """Replace the day in every table of `facts`, in one transaction; rows by table, the tables of the lake that are not
    there yet, and the tables of `facts` that stay as they were, as the lake's own do not fit together.

    Raises:
        StackError: PostgreSQL is not reachable, or does not take the rows.
    """
    missing = [
        table.name
        for table in (READINGS, DEAD_LETTERS, ENRICHED_READINGS, TRENDS, QUALITY)
        if _dataset(lake, table) is None
    ]
    trend = _trends(lake, "day", day, _TREND_COLUMNS)
    enriched = _batches(lake, ENRICHED_READINGS, _on(day), shaped.DETAIL_COLUMNS)
    details = shaped.details(enriched, settings.lateness_seconds)
    days = shaped.device_days(trend, details, day, datetime.now(UTC))
    hours = shaped.device_hours(_trends(lake, "hour", day, _HOUR_COLUMNS), day)
    stored, dead = _stored(lake, day), _count(lake, DEAD_LETTERS, _on(day))
    readings = shaped.reading_days(day, stored, dead, days)
    quality = shaped.quality_results(_table(lake, QUALITY, ds.field("day") == pa.scalar(day)))

    of_devices = {"device_days": days, "device_hours": hours, "reading_days": readings}
    summed, present = pc.sum(trend["count"]).as_py() or 0, _count(lake, ENRICHED_READINGS, _on(day))
    kept = f"its trends are of {summed} readings, and it has {present}" if present not in (0, summed) else None
    first = retention.first_kept(datetime.now(UTC).date(), settings.raw_retention_days)
    versions = _versions(lake)
    known = shaped.threshold_versions(versions)
    live = shaped.live_thresholds(thresholds.rows_of(lake, versions[0])) if versions else None
    with facts.loading(settings) as loading:
        if day < first and loading.has("device_days", {facts.DAYS_OF["device_days"]: day}):
            kept = f"its readings are kept from {first} on"
        tables = {"quality_results": quality} | ({} if kept else of_devices)
        for name, rows in tables.items():
            loading.replace(name, rows, {facts.DAYS_OF[name]: day})
        if live is not None:
            loading.merge("threshold_versions", known, ["version"])
            loading.replace("live_thresholds", live, {})
    counts = {name: rows.num_rows if name in tables else 0 for name, rows in (of_devices | tables).items()}
    counts |= {"threshold_versions": known.num_rows, "live_thresholds": live.num_rows if live is not None else 0}
    return counts | {"tables_missing": missing, "tables_kept": [*(of_devices if kept else ())], "why_kept": kept or ""}


def _versions(lake: Lake) -> Sequence[thresholds.Version]:
    try:
        return thresholds.versions(lake)
    except ThresholdsError:
        return []


def _on(day: date) -> ds.Expression:
    return ds.field("event_date") == pa.scalar(day)


def _trends(lake: Lake, period: str, day: date, columns: tuple[str, ...]) -> pa.Table:
    return _table(lake, TRENDS, (ds.field("period") == period) & _on(day), columns)


def _dataset(lake: Lake, table: Table) -> ds.Dataset | None:
    found = lake.find(table)
    return found.to_pyarrow_dataset() if found is not None else None


def _stored(lake: Lake, day: date) -> int:
    """Readings of the day in the version that it was enriched from, as the stream goes on writing; in the newest, where
    the lake remembers that one no more."""
    readings, enriched = lake.find(READINGS), lake.find(ENRICHED_READINGS)
    if readings is None:
        return 0
    notes = (
        (json.loads(commit["userMetadata"]) for commit in enriched.history(_COMMITS) if "userMetadata" in commit)
        if enriched
        else ()
    )
    version = next((note["readings_version"] for note in notes if note.get("day") == day.isoformat()), None)
    if version is not None:
        with contextlib.suppress(DeltaError):
            readings.load_as_version(version)
    return int(readings.to_pyarrow_dataset().count_rows(filter=_on(day)))


def _count(lake: Lake, table: Table, wanted: ds.Expression) -> int:
    """By the files' own notes: of the partition wanted no row is read."""
    found = _dataset(lake, table)
    return found.count_rows(filter=wanted) if found is not None else 0


def _table(lake: Lake, table: Table, wanted: ds.Expression, columns: tuple[str, ...] | None = None) -> pa.Table:
    schema = arrow_schema(table.record)
    names = list(columns or schema.names)
    found = _dataset(lake, table)
    if found is None:
        return schema.empty_table().select(names)
    return found.to_table(columns=names, filter=wanted).cast(pa.schema([schema.field(name) for name in names]))


def _batches(lake: Lake, table: Table, wanted: ds.Expression, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    found = _dataset(lake, table)
    if found is not None:
        yield from found.to_batches(
            columns=list(columns), filter=wanted, batch_size=_ROWS_AT_ONCE, batch_readahead=4, fragment_readahead=2
        )
