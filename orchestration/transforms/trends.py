"""Figures by hour and day from readings, and by week and month from days: pure, Arrow in and Arrow out."""

from datetime import date, datetime, timedelta
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detection import mixtures
from detection.groups import Floats, Groups, Integers
from lakehouse.columns import arrow_schema
from lakehouse.tables import TRENDS

SCHEMA = arrow_schema(TRENDS.record)
QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
COLUMNS = ("device_id", "metric", "event_time", "value", "unit", "anomalies", "interval_seconds")

_SECOND = 1_000_000
_Moment = TypeVar("_Moment", date, datetime)
_LENGTHS = {"hour": 3600 * _SECOND, "day": 86_400 * _SECOND}
# A pause of more than so many usual intervals is a gap.
_PAUSE = 3.0


def of_readings(readings: pa.Table) -> pa.Table:
    """Enriched readings of one day (`COLUMNS`) -> trends of its hours and of the day, without what compares them with
    the period before."""
    ordered = readings.combine_chunks().sort_by([(name, "ascending") for name in COLUMNS[:3]])
    if ordered.num_rows == 0:
        return SCHEMA.empty_table()
    device, metric = (ordered[name].combine_chunks().dictionary_encode() for name in COLUMNS[:2])
    names = [pa.array(column.dictionary) for column in (device, metric)]
    codes = [column.indices.to_numpy().astype(np.int64) for column in (device, metric)]
    time = ordered["event_time"].cast(pa.int64()).to_numpy()
    series = np.cumsum(np.concatenate([[False], (codes[0][1:] != codes[0][:-1]) | (codes[1][1:] != codes[1][:-1])]))
    gap = _gaps(series, time, ordered["interval_seconds"].to_numpy(zero_copy_only=False))
    parts = []
    for period, length in _LENGTHS.items():
        start = time - time % length
        begins = np.concatenate([[True], (series[1:] != series[:-1]) | (start[1:] != start[:-1])])
        groups = Groups(np.cumsum(begins) - 1, int(begins.sum()))
        first = np.flatnonzero(begins)
        columns = _figures(ordered, groups, first, time, gap) | {
            "period": pa.repeat(period, groups.count),
            "period_start": start[first],
            "device_id": names[0].take(pa.array(codes[0][first])),
            "metric": names[1].take(pa.array(codes[1][first])),
        }
        parts.append(_table(columns))
    return pa.concat_tables(parts)


def _figures(ordered: pa.Table, groups: Groups, first: Integers, time: Integers, gap: Floats) -> dict[str, object]:
    value = ordered["value"].to_numpy()
    ones = np.ones_like(value)
    count = groups.total(ones)
    mean = groups.total(value) / count
    stddev = np.sqrt(groups.total((value - mean[groups.of]) ** 2) / count)
    quantiles = groups.quantiles(value, ones, tuple(QUANTILES.values()))
    abnormal = groups.total(ordered["anomalies"].to_numpy() > 0)
    last = np.append(first[1:], len(time)) - 1
    return {
        "unit": ordered["unit"].take(pa.array(last)),
        "count": count.astype(np.int64),
        "mean": mean,
        "stddev": stddev,
        "min": np.minimum.reduceat(value, first),
        "max": np.maximum.reduceat(value, first),
        **{name: quantiles[:, place] for place, name in enumerate(QUANTILES)},
        "anomalies": abnormal.astype(np.int64),
        "anomaly_rate": abnormal / count,
        "first_at": time[first],
        "last_at": time[last],
        "gaps": groups.total(gap > 0).astype(np.int64),
        "gap_seconds": groups.total(gap),
    }


def _gaps(series: Integers, time: Integers, configured: Floats) -> Floats:
    """Seconds of the pause before each reading where that is a gap, else 0.

    The usual interval is the configured one, else the median pause of the series on that day.
    """
    pause = np.zeros(len(time))
    same = series[1:] == series[:-1]
    pause[1:][same] = (time[1:] - time[:-1])[same] / _SECOND
    between = np.concatenate([[False], same])
    count = int(series[-1]) + 1
    usual = Groups(series[between], count).quantiles(pause[between], np.ones(int(between.sum())), (0.5,))[:, 0]
    interval = np.where(np.isfinite(configured), configured, usual[series])
    return np.where(between & (pause > _PAUSE * interval), pause, 0.0)


def of_days(days: pa.Table, period: str, period_start: date) -> pa.Table:
    """Trends of days that lie in one week or month -> the trends of that period.

    Everything but the quantiles is exact: they are those of the mixture of the days' distributions.
    """
    if days.num_rows == 0:
        return SCHEMA.empty_table()
    ordered = days.sort_by([("device_id", "ascending"), ("metric", "ascending"), ("period_start", "ascending")])
    device, metric = (ordered[name].combine_chunks().dictionary_encode() for name in COLUMNS[:2])
    codes = [column.indices.to_numpy() for column in (device, metric)]
    begins = np.concatenate([[True], (codes[0][1:] != codes[0][:-1]) | (codes[1][1:] != codes[1][:-1])])
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(begins)) - 1
    groups = Groups(np.cumsum(begins) - 1, len(first))
    figure = {name: ordered[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in _MERGED}
    count = groups.total(figure["count"])
    mean = groups.mean(figure["mean"], figure["count"])
    variance = groups.mean(figure["stddev"] ** 2 + (figure["mean"] - mean[groups.of]) ** 2, figure["count"])
    known = np.stack([figure[name] for name in ("min", *QUANTILES, "max")], axis=1)
    quantiles = mixtures.quantiles(groups, figure["count"], known, tuple(QUANTILES.values()))
    first_at, last_at = (ordered[name].cast(pa.int64()).to_numpy() for name in ("first_at", "last_at"))
    anomalies = groups.total(figure["anomalies"])
    start = datetime(period_start.year, period_start.month, period_start.day)  # noqa: DTZ001  columns are UTC
    return _table(
        {
            "period": pa.repeat(period, groups.count),
            "period_start": pa.repeat(pa.scalar(start, pa.timestamp("us")), groups.count).cast(pa.int64()),
            "device_id": ordered["device_id"].take(pa.array(first)),
            "metric": ordered["metric"].take(pa.array(first)),
            "unit": ordered["unit"].take(pa.array(last)),
            "count": count.astype(np.int64),
            "mean": mean,
            "stddev": np.sqrt(variance),
            "min": groups.least(figure["min"]),
            "max": groups.greatest(figure["max"]),
            **{name: quantiles[:, place] for place, name in enumerate(QUANTILES)},
            "anomalies": anomalies.astype(np.int64),
            "anomaly_rate": anomalies / count,
            "first_at": first_at[first],
            "last_at": last_at[last],
            "gaps": groups.total(figure["gaps"]).astype(np.int64),
            "gap_seconds": groups.total(figure["gap_seconds"]),
        }
    )


_MERGED = ("count", "mean", "stddev", "min", *QUANTILES, "max", "anomalies", "gaps", "gap_seconds")


def compared(trends: pa.Table, earlier: pa.Table) -> pa.Table:
    """`trends` with the mean of the period before, which is sought in `earlier` and in `trends` itself."""
    if trends.num_rows == 0:
        return trends
    keys = ("device_id", "metric", "period", "period_start")
    both = pa.concat_tables([table.select([*keys, "mean"]) for table in (trends, earlier)])
    before = trends.select(list(keys)).append_column("row", pa.array(np.arange(trends.num_rows)))
    starts = _previous_starts(trends)
    before = before.set_column(3, "period_start", pa.array(starts, pa.timestamp("us", "UTC")))
    found = before.join(both, list(keys), join_type="left outer").sort_by("row")
    previous = found["mean"].combine_chunks()
    result = trends.set_column(SCHEMA.get_field_index("previous_mean"), SCHEMA.field("previous_mean"), previous)
    change = pc.subtract(trends["mean"], previous)
    return result.set_column(SCHEMA.get_field_index("change"), SCHEMA.field("change"), change)


def across_midnight(trends: pa.Table, days_before: pa.Table) -> pa.Table:
    """`trends` of a day's hours and of the day, with the pause since the last reading of the days before counted where
    it is a gap: in the day, and in the hour of its first reading. `days_before`: rows of the period day."""
    if trends.num_rows == 0 or days_before.num_rows == 0:
        return trends
    keys = ["device_id", "metric"]
    before = days_before.group_by(keys).aggregate([("last_at", "max")]).rename_columns([*keys, "before"])
    days = trends.filter(pc.equal(trends["period"], "day")).select(
        [*keys, "first_at", "last_at", "count", "gaps", "gap_seconds"]
    )
    both = days.join(before, keys, join_type="inner")
    first, last, earlier = (
        both[name].cast(pa.int64()).to_numpy() / _SECOND for name in ("first_at", "last_at", "before")
    )
    # Without the gaps that are known, the rest of the readings came at the usual interval.
    steps = both["count"].to_numpy() - 1 - both["gaps"].to_numpy()
    usual = (last - first - both["gap_seconds"].to_numpy()) / np.maximum(steps, 1)
    pause = np.where((steps > 0) & (first - earlier > _PAUSE * usual), first - earlier, 0.0)
    added = both.select([*keys, "first_at"]).append_column("pause", pa.array(pause))
    rows = trends.select([*keys, "first_at"]).append_column("row", pa.array(np.arange(trends.num_rows)))
    # The day and the hour of its first reading begin with the same reading.
    found = rows.join(added, [*keys, "first_at"], join_type="left outer").sort_by("row")["pause"].combine_chunks()
    seconds = pc.fill_null(found, 0.0)
    result = trends
    for name, more in (("gaps", pc.greater(seconds, 0).cast(pa.int64())), ("gap_seconds", seconds)):
        place = SCHEMA.get_field_index(name)
        result = result.set_column(place, SCHEMA.field(name), pc.add(result[name], more))
    return result


def _previous_starts(trends: pa.Table) -> list[datetime]:
    found = {}
    pairs = zip(trends["period"].to_pylist(), trends["period_start"].to_pylist(), strict=True)
    listed = list(pairs)
    for period, start in set(listed):
        found[period, start] = previous(period, start)
    return [found[pair] for pair in listed]


def previous(period: str, start: _Moment) -> _Moment:
    """Start of the period before.

    >>> previous("month", datetime(2026, 3, 1)).month
    2
    """
    if period == "month":
        return (start - timedelta(days=1)).replace(day=1)
    return start - {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}[period]


def week_of(day: date) -> date:
    """The Monday of its week."""
    return day - timedelta(days=day.weekday())


def month_of(day: date) -> date:
    return day.replace(day=1)


def _table(columns: dict[str, object]) -> pa.Table:
    """The columns in the table's shape; what is missing is null, `event_date` the day of `period_start`."""
    rows = len(columns["count"])  # type: ignore[arg-type]
    start = pa.array(columns["period_start"]).cast(pa.int64())
    columns = columns | {"event_date": pc.cast(start.cast(pa.timestamp("us")), pa.date32())}
    return pa.table([_column(columns.get(item.name), item.type, rows) for item in SCHEMA], schema=SCHEMA)


def _column(values: object, kind: pa.DataType, rows: int) -> pa.Array:
    if values is None:
        return pa.nulls(rows, kind)
    column = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    return column.cast(kind)
