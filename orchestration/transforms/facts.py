"""A day of the lake as the rows of schema `facts` (their columns: lakehouse/registry/migrations/versions/v0004)."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.thresholds import Version

DAY_SECONDS = 86_400.0
DETAIL_COLUMNS = ("device_id", "metric", "location", "model", "interval_seconds", "in_maintenance", "delay_seconds")
QUALITY_COLUMNS = ("day", "table", "check", "severity", "passed", "examined", "offenders", "observed", "detail")

_SERIES = ["device_id", "metric"]
_SUMS = ("late", "maintenance", "interval_sum", "interval_count")
_LAST = ("location", "model")
_AT_ONCE = 32


def details(batches: Iterable[pa.RecordBatch], lateness_seconds: float) -> pa.Table:
    """One row a device and metric: what `facts.device_days` says besides the figures of the trend.

    Batches are reduced as they come, so that memory holds a few of them and never the day.
    """
    reduced = _no_details()
    remaining = iter(batches)
    while some := list(islice(remaining, _AT_ONCE)):
        parts = [reduced, *(_reduced(_details_of(batch, lateness_seconds)) for batch in some if batch.num_rows)]
        reduced = _reduced(pa.concat_tables(parts))
    return reduced


def device_days(trends: pa.Table, details: pa.Table, day: date, now: datetime) -> pa.Table:
    """`trends`: rows of period day. `now` bounds what may be expected of a day that is not over."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    seconds = min(max((now - start) / timedelta(seconds=1), 0.0), DAY_SECONDS)
    joined = trends.join(details, _SERIES, join_type="left outer")
    known = pc.if_else(pc.greater(joined["interval_count"], 0), joined["interval_count"], None)
    interval = pc.divide(joined["interval_sum"], pc.cast(known, pa.float64()))
    zero = pa.scalar(0, pa.int64())
    return pa.table(
        {
            "event_date": pa.repeat(pa.scalar(day), joined.num_rows),
            **{name: joined[name] for name in _SERIES},
            "readings": joined["count"],
            **{name: joined[name] for name in ("mean", "stddev", "min", "max", "anomalies", "gaps", "gap_seconds")},
            "late_readings": pc.coalesce(joined["late"], zero),
            "expected_readings": pc.divide(pa.scalar(seconds), interval),
            "maintenance_readings": pc.coalesce(joined["maintenance"], zero),
            **{name: joined[name] for name in _LAST},
        }
    )


def device_hours(trends: pa.Table, day: date) -> pa.Table:
    """`trends`: rows of period hour."""
    grouped = trends.group_by(["period_start", "device_id"]).aggregate([("count", "sum"), ("anomalies", "sum")])
    return pa.table(
        {
            "event_date": pa.repeat(pa.scalar(day), grouped.num_rows),
            "hour": grouped["period_start"],
            "device_id": grouped["device_id"],
            "readings": grouped["count_sum"],
            "anomalies": grouped["anomalies_sum"],
        }
    )


def reading_days(day: date, readings: int, dead_letters: int, device_days: pa.Table) -> pa.Table:
    """One row, or none where nothing came. `readings`: rows that the stream stored."""
    if readings == 0 and dead_letters == 0:
        return pa.table({"event_date": pa.array([], pa.date32())})
    valid = _sum(device_days, "readings")
    found = {
        "event_date": day,
        "readings": readings,
        "valid": valid,
        "duplicates": max(readings - valid, 0) if valid else 0,
        "late": _sum(device_days, "late_readings"),
        "dead_letters": dead_letters,
    }
    return pa.Table.from_pylist([found])


def quality_results(results: pa.Table) -> pa.Table:
    """The last outcome of each check of each table."""
    ordered = results.sort_by([("checked_at", "ascending")])
    last = ordered.group_by(["day", "table", "check"], use_threads=False).aggregate(
        [(name, "last") for name in (*QUALITY_COLUMNS[3:], "checked_at")]
    )
    named = [name.removesuffix("_last") for name in last.column_names]
    return last.rename_columns([{"table": "table_name", "check": "check_name"}.get(name, name) for name in named])


def threshold_versions(versions: Sequence[Version]) -> pa.Table:
    """Every version that the lake remembers."""
    return pa.table(
        {
            "version": pa.array([each.version for each in versions], pa.int64()),
            "table_version": pa.array([each.table_version for each in versions], pa.int64()),
            "published_at": pa.array([each.published_at for each in versions], pa.timestamp("us", "UTC")),
            "published_by": pa.array([each.by for each in versions], pa.string()),
            "kind": pa.array([each.kind for each in versions], pa.string()),
            "why": pa.array([each.why for each in versions], pa.string()),
            "rows": pa.array([each.rows for each in versions], pa.int64()),
            "learned": pa.array([each.learned for each in versions], pa.int64()),
            "manual": pa.array([each.manual for each in versions], pa.int64()),
            "made_from": pa.array([json.dumps(dict(each.data), default=str) for each in versions], pa.string()),
        }
    )


def live_thresholds(rows: pa.Table) -> pa.Table:
    return rows.select(
        ["device_id", "metric", "version", "lower", "upper", "mean", "stddev", "z_limit", "unit", "source"]
    )


def _details_of(batch: pa.RecordBatch, lateness_seconds: float) -> pa.Table:
    known = pc.is_valid(batch["interval_seconds"])
    return pa.table(
        {
            **{name: batch[name].cast(pa.string()) for name in (*_SERIES, *_LAST)},
            "late": pc.cast(pc.fill_null(pc.greater(batch["delay_seconds"], lateness_seconds), False), pa.int64()),
            "maintenance": pc.cast(pc.fill_null(batch["in_maintenance"], False), pa.int64()),
            "interval_sum": pc.fill_null(batch["interval_seconds"], 0.0),
            "interval_count": pc.cast(known, pa.int64()),
        }
    ).select(_no_details().column_names)


def _reduced(rows: pa.Table) -> pa.Table:
    # A device that moved within the day is rare; the greater name is at least always the same one.
    aggregates = {**dict.fromkeys(_SUMS, "sum"), **dict.fromkeys(_LAST, "max")}
    grouped = rows.group_by(_SERIES).aggregate(list(aggregates.items()))
    found = {name: grouped[f"{name}_{how}"] for name, how in aggregates.items()}
    columns = {**{name: grouped[name] for name in _SERIES}, **found}
    return pa.table(columns).select(_no_details().column_names)


def _no_details() -> pa.Table:
    text = pa.array([], pa.string())
    counts = dict.fromkeys(("late", "maintenance", "interval_count"), pa.array([], pa.int64()))
    return pa.table({**dict.fromkeys((*_SERIES, *_LAST), text), **counts, "interval_sum": pa.array([], pa.float64())})


def _sum(rows: pa.Table, column: str) -> int:
    return int(pc.sum(rows[column]).as_py() or 0)
