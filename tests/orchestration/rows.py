"""Rows for small tables of the lake, with the columns that a test does not care about filled in."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
from deltalake import write_deltalake

from contracts import identity
from lakehouse import creation
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.tables import Table

NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def reading(seconds: float = 0.0, value: float = 20.0, device: str = "pump-1", metric: str = "temperature", **changes):
    """A reading `seconds` after noon, received a second later."""
    at = NOON + timedelta(seconds=seconds)
    row = {
        "reading_id": identity.reading_id(device, device, metric, micros(at)),
        "device_id": device,
        "sensor_id": device,
        "metric": metric,
        "event_time": at,
        "value": value,
        "unit": "°C",
        "location": None,
        "received_at": at + timedelta(seconds=1),
        "source_partition": 0,
        "source_offset": int(seconds * 1000),
        "event_date": at.date(),
    }
    return row | changes


def anomaly(of: dict, detector: str = "z_score", **changes):
    """A verdict on a reading."""
    row = {
        "anomaly_id": identity.anomaly_id(of["device_id"], of["metric"], micros(of["event_time"]), detector),
        **{name: of[name] for name in ("device_id", "sensor_id", "metric", "event_time", "value", "event_date")},
        "score": 7.0,
        "threshold": 6.0,
        "detector": detector,
        "severity": "warning",
        "is_anomaly": True,
        "features": [],
        "threshold_version": 1,
        "detected_at": of["received_at"],
    }
    return row | changes


def write(lake: Lake, table: Table, rows: list[dict]) -> None:
    """Append rows to a table of the lake, which is made if it is not there."""
    made = creation.ensure(lake, table)
    if rows:
        write_deltalake(made, pa.Table.from_pylist(rows, schema=arrow_schema(table.record)), mode="append")


def read(lake: Lake, table: Table, *order: str) -> list[dict]:
    """All rows of a table, ordered by the columns given."""
    found = lake.open(table).to_pyarrow_table()
    return found.sort_by([(name, "ascending") for name in order]).to_pylist() if order else found.to_pylist()
