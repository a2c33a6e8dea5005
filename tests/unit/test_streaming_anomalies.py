"""What comes back from the anomaly topic: anyone may write to it, and no sink may stop for that."""

import json
from datetime import UTC, date, datetime

import pyarrow as pa

from contracts.avro import field_names
from streaming import anomalies

SENT = {
    "anomaly_id": "0a1b",
    "device_id": "d",
    "sensor_id": "s",
    "metric": "temperature",
    "value": 150,
    "score": "Infinity",
    "threshold": 100,
    "detector": "hard_limit",
    "severity": "critical",
    "is_anomaly": True,
    "features": {"upper": 100},
    "threshold_version": 7,
    "event_time": "2026-11-03T12:00:00.123456Z",
    "event_date": "2026-11-03",
    "detected_at": "2026-11-03T12:00:00.2Z",
}


def parse(*messages):
    return anomalies.parse(pa.chunked_array([pa.array(messages, pa.binary())]))


def test_an_anomaly_has_all_columns_and_their_types():
    found = parse(json.dumps(SENT).encode())
    assert found.column_names == field_names("anomaly")
    (row,) = found.to_pylist()
    assert row["event_time"] == datetime(2026, 11, 3, 12, 0, 0, 123456, tzinfo=UTC)
    assert row["event_date"] == date(2026, 11, 3)
    assert (row["value"], row["score"], row["threshold_version"]) == (150.0, float("inf"), 7)
    assert dict(row["features"]) == {"upper": 100.0}
    assert (row["window_start"], row["model_version"]) == (None, None)


def test_what_is_no_anomaly_of_ours_is_left_out():
    others = [b"", None, b"x", b"{}", b"[]", b"3", b'{"anomaly_id":null}', b"\xff"]
    wrong = [SENT | changed for changed in ({"value": "high"}, {"event_time": 5}, {"features": [1]}, {"device_id": 1})]
    wrong += [SENT | {"threshold_version": 1e30}, SENT | {"anomaly_id": 3}]
    wrong += [SENT | {"value": None}, {name: given for name, given in SENT.items() if name != "severity"}]
    found = parse(*others, *[json.dumps(one).encode() for one in wrong], json.dumps(SENT).encode())
    assert found["anomaly_id"].to_pylist() == ["0a1b"]
