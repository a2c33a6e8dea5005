"""Messages as Kafka hands them out."""

import json
from datetime import UTC, datetime, timedelta

RECEIVED = datetime(2026, 11, 3, 12, 0, 0, tzinfo=UTC)
KAFKA = (
    "topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP, key BINARY, value BINARY, "
    "headers ARRAY<STRUCT<key: STRING, value: BINARY>>"
)


def message(value, offset=0, *, partition=0, received=RECEIVED, key=b"k", headers=None):
    """A row of Kafka; `value` is bytes, None, or something that becomes JSON."""
    body = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
    return ("raw", partition, offset, received, key, body, headers)


def single(value=1.5, seconds=0.0, **changes):
    """A message with one metric, measured `seconds` after RECEIVED; a change to `...` takes a field away."""
    fields = {
        "device_id": "pump-1",
        "sensor_id": "pump-1-t",
        "timestamp": (RECEIVED + timedelta(seconds=seconds)).isoformat(),
        "metric": "temperature",
        "value": value,
    }
    return {name: field for name, field in (fields | changes).items() if field is not ...}


def kafka(spark, messages):
    return spark.createDataFrame(list(messages), KAFKA)
