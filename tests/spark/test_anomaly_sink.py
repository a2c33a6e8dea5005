"""Anomalies in Delta, once by id: the topic is written at least once, and batches come again."""

import json
from collections import Counter

import pyarrow as pa
import pytest

from contracts.avro import field_names
from lakehouse import creation
from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES
from streaming import anomalies
from streaming.sinks.delta import DeltaSink

ANOMALY = {
    "device_id": "d",
    "sensor_id": "d",
    "metric": "t",
    "window_start": None,
    "value": 9.0,
    "score": 9.0,
    "threshold": 5.0,
    "detector": "hard_limit",
    "severity": "critical",
    "is_anomaly": True,
    "features": {"upper": 5.0},
    "threshold_version": 1,
    "detected_at": "2026-11-03T12:00:01.000000Z",
}


def batch(*names, day=3):
    """Rows of the anomaly topic, one a name; the name is the id and says the second of the event."""
    date = {"event_date": f"2026-11-{day:02}"}
    times = {name: {"event_time": f"2026-11-{day:02}T12:00:{name[-2:]}.000000Z"} for name in names}
    messages = [json.dumps(ANOMALY | date | times[name] | {"anomaly_id": name}).encode() for name in names]
    return anomalies.parse(pa.chunked_array([pa.array(messages, pa.binary())]))


@pytest.fixture
def lake(spark, tmp_path):
    creation.ensure(Lake(str(tmp_path)), ANOMALIES)
    return str(tmp_path)


def stored(spark, lake):
    return Counter(row.anomaly_id for row in spark.read.format("delta").load(ANOMALIES.path(lake)).collect())


def test_an_anomaly_is_stored_once_whatever_comes_again(spark, lake):
    sink = DeltaSink(Lake(lake), "checkpoint-1")
    sink.write(batch("a-01", "b-02", "a-01"), 0)
    assert stored(spark, lake) == {"a-01": 1, "b-02": 1}
    sink.write(batch("a-01", "b-02", "a-01"), 0)  # the batch again, after a crash
    sink.write(batch("b-02", "c-03"), 1)  # the topic again, in another batch
    sink.write(batch(), 2)
    assert stored(spark, lake) == {"a-01": 1, "b-02": 1, "c-03": 1}
    DeltaSink(Lake(lake), "checkpoint-2").write(batch("a-01", "d-04"), 0)  # a new checkpoint, from the beginning
    sink.write(batch("e-05", day=4), 3)
    assert stored(spark, lake) == {"a-01": 1, "b-02": 1, "c-03": 1, "d-04": 1, "e-05": 1}
    found = spark.read.format("delta").load(ANOMALIES.path(lake))
    assert found.columns == field_names("anomaly")
    assert found.first().features == {"upper": 5.0}
