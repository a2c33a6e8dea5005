"""Rows of a lake of any size, made in memory: readings of whole days, and closed windows."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from lakehouse.columns import arrow_schema

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_METRICS = (("temperature", "°C", 21.0, 1.5), ("humidity", "%", 45.0, 4.0), ("vibration", "mm/s", 2.0, 0.3))
_READINGS_A_COMMIT = 60  # minutes


def readings(sensors: int, day: date, seed: int) -> Iterator[pa.Table]:
    """One reading a sensor and minute, an hour a table, in the shape of contracts/schemas/reading.avsc.

    Ids are random digits instead of digests: as long, as unlike each other, and made in seconds.
    """
    random = np.random.default_rng(seed + day.toordinal())
    start = _micros(day)
    device, metric, unit, centre, spread = _fleet(sensors)
    for hour in range(24):
        rows = sensors * _READINGS_A_COMMIT
        minute = np.repeat(np.arange(_READINGS_A_COMMIT), sensors)
        offset = np.tile(random.integers(0, _MINUTE, sensors), _READINGS_A_COMMIT)
        time = start + (hour * 60 + minute) * _MINUTE + offset
        each = np.tile(np.arange(sensors), _READINGS_A_COMMIT)
        columns = {
            "reading_id": _ids(random, rows),
            "device_id": device.take(pa.array(each)),
            "sensor_id": device.take(pa.array(each)),
            "metric": metric.take(pa.array(each)),
            "event_time": time,
            "value": centre[each] + random.normal(0, 1, rows) * spread[each],
            "unit": unit.take(pa.array(each)),
            "location": pa.repeat("site-01", rows),
            "received_at": time + _SECOND,
            "source_partition": each % 2,
            "source_offset": np.arange(rows) + hour * rows,
            "event_date": pa.repeat(pa.scalar(day), rows),
        }
        yield _table("reading", columns)


def windows(sensors: int, start: datetime, end: datetime, kind: str, seed: int) -> pa.Table:
    """Windows of `kind` that begin in [start, end), in the shape of contracts/schemas/feature.avsc."""
    random = np.random.default_rng(seed)
    length = {"tumbling_1m": _MINUTE, "tumbling_5m": 5 * _MINUTE}[kind]
    begins = np.arange(int(start.timestamp() * 1e6), int(end.timestamp() * 1e6), length)
    rows = len(begins) * sensors
    each = np.tile(np.arange(sensors), len(begins))
    device, metric, _, centre, spread = _fleet(sensors)
    count = length // _MINUTE
    mean = centre[each] + random.normal(0, 1, rows) * spread[each]
    stddev = np.abs(random.normal(0, 0.1, rows)) * spread[each] * (count > 1)
    begin = np.repeat(begins, sensors)
    columns = {
        "window_kind": pa.repeat(kind, rows),
        "window_start": begin,
        "window_end": begin + length,
        "device_id": device.take(pa.array(each)),
        "metric": metric.take(pa.array(each)),
        "count": np.full(rows, count),
        "mean": mean,
        "stddev": stddev,
        "min": mean - 2 * stddev,
        "max": mean + 2 * stddev,
        "range": 4 * stddev,
        "delta": stddev,
        "rate_of_change": stddev / 60,
        "event_date": pc.cast(pa.array(begin).cast(pa.timestamp("us")), pa.date32()),
    }
    return _table("feature", columns)


def _fleet(sensors: int) -> tuple[pa.Array, pa.Array, pa.Array, np.ndarray, np.ndarray]:
    """Device, metric, unit, centre and spread of each sensor."""
    kind = np.arange(sensors) % len(_METRICS)
    names, units, centres, spreads = zip(*_METRICS, strict=True)
    devices = pa.array([f"sensor-{number:07}" for number in range(sensors)])
    chosen = pa.array(kind)
    return (
        devices,
        pa.array(names).take(chosen),
        pa.array(units).take(chosen),
        np.array(centres)[kind],
        np.array(spreads)[kind],
    )


def _ids(random: np.random.Generator, rows: int) -> pa.Array:
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)[random.integers(0, 16, rows * 32)]
    offsets = pa.py_buffer(np.arange(0, rows * 32 + 1, 32, dtype=np.int32))
    return pa.StringArray.from_buffers(rows, offsets, pa.py_buffer(digits))


def _table(record: str, columns: dict[str, object]) -> pa.Table:
    schema = arrow_schema(record)
    return pa.table([_column(columns[item.name]).cast(item.type) for item in schema], schema=schema)


def _column(values: object) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values)


def _micros(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * _SECOND


def days_before(today: date, count: int) -> list[date]:
    return [today - timedelta(days=place) for place in range(count, 0, -1)]
