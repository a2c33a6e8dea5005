"""Anomalies as they come back from Kafka: what every sink reads."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa  # type: ignore[import-untyped]
import structlog

from contracts import avro
from lakehouse.columns import arrow_schema

log = structlog.get_logger(__name__)

SCHEMA = arrow_schema("anomaly")
_NEEDED = [field["name"] for field in avro.load("anomaly")["fields"] if "default" not in field]


def parse(messages: pa.ChunkedArray) -> pa.Table:
    """Values of the anomaly topic, JSON in bytes -> rows in the shape of contracts/schemas/anomaly.avsc.

    The topic is written at least once, so one batch may hold an anomaly twice. What is no anomaly of sensorlake's is
    left out and logged: it would hold up the sinks for ever.
    """
    rows = [row for message in messages.to_pylist() if (row := _row(message)) is not None]
    if len(rows) < len(messages):
        log.warning("messages in the anomaly topic that are no anomalies", count=len(messages) - len(rows))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(message: bytes | None) -> dict[str, Any] | None:
    try:
        found = orjson.loads(message or b"")
        row = {field.name: _value(found.get(field.name), _READ[field.type]) for field in SCHEMA}
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None
    return row if row["anomaly_id"] and None not in (row[name] for name in _NEEDED) else None


def _value(given: object, read: Callable[[Any], object]) -> object:
    return None if given is None else read(given)


def _text(given: object) -> str:
    if not isinstance(given, str):
        raise TypeError
    return given


def _figures(given: Mapping[str, float]) -> list[tuple[str, float]]:
    return [(name, float(figure)) for name, figure in given.items()]


_READ: dict[pa.DataType, Callable[[Any], object]] = {
    pa.string(): _text,
    pa.float64(): float,
    pa.int64(): lambda given: int(np.int64(given)),  # one that is too large is an error here, not for the whole batch
    pa.bool_(): bool,
    pa.timestamp("us", "UTC"): datetime.fromisoformat,
    pa.date32(): date.fromisoformat,
    pa.map_(pa.string(), pa.float64()): _figures,
}
