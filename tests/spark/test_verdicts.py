"""Which readings are alerts, and what leaves the alerts lane for them and for what could not be read."""

import json
import math
from datetime import UTC, datetime

import pytest

from contracts import identity
from contracts.shapes import json_schema
from contracts.topics import Topics
from streaming import alerts, anomalies, limits, verdict
from tests.spark.messages import RECEIVED, kafka, message, single

TOPICS = Topics("t.")
INFINITY = math.inf
# device, metric, lower, upper, mean, stddev, z_limit
LIMITS = [
    ("*", "t", 0.0, 100.0, None, None, None),
    ("own", "t", 10.0, 20.0, None, None, None),
    ("loose", "t", None, None, 50.0, 2.0, 3.0),
    ("*", "z", None, None, 50.0, 2.0, 3.0),
    ("flat", "z", None, None, 50.0, 0.0, 3.0),
    ("null", "z", None, None, 50.0, None, 3.0),
    ("nolimit", "z", None, None, 50.0, 2.0, None),
    ("nomean", "z", None, None, None, 2.0, 3.0),
    ("*", "both", 0.0, 100.0, 50.0, 1.0, 3.0),
    ("*", "below", 0.0, None, None, None, None),
    ("*", "nan", math.nan, math.nan, math.nan, math.nan, math.nan),
    ("*", "open", -INFINITY, INFINITY, None, None, None),
    ("*", "tiny", None, None, 0.0, 5e-324, 3.0),
]
H, Z = "hard_limit", "z_score"
# device, metric, value -> detector, score, threshold, severity
CASES = {
    "inside": ("x", "t", 50.0, None),
    "at the upper limit": ("x", "t", 100.0, None),
    "at the lower limit": ("x", "t", 0.0, None),
    "above": ("x", "t", 100.1, (H, 100.1, 100.0, "critical")),
    "below": ("x", "t", -0.1, (H, -0.1, 0.0, "critical")),
    "the device's own row is narrower": ("own", "t", 50.0, (H, 50.0, 20.0, "critical")),
    "below the device's own row": ("own", "t", 5.0, (H, 5.0, 10.0, "critical")),
    "the device's own row replaces the metric's, limits and all": ("loose", "t", -50.0, (Z, 50.0, 3.0, "critical")),
    "within the device's own row": ("loose", "t", 51.0, None),
    "a metric without a row": ("x", "unknown", 1e9, None),
    "at the z limit": ("x", "z", 56.0, None),
    "beyond the z limit": ("x", "z", 58.0, (Z, 4.0, 3.0, "warning")),
    "below by the z limit": ("x", "z", 42.0, (Z, 4.0, 3.0, "warning")),
    "at twice the z limit": ("x", "z", 62.0, (Z, 6.0, 3.0, "warning")),
    "beyond twice the z limit": ("x", "z", 62.5, (Z, 6.25, 3.0, "critical")),
    "stddev 0": ("flat", "z", 1e6, None),
    "stddev null": ("null", "z", 1e6, None),
    "z limit null": ("nolimit", "z", 1e6, None),
    "mean null": ("nomean", "z", 1e6, None),
    "hard limit before z-score": ("x", "both", 101.0, (H, 101.0, 100.0, "critical")),
    "z-score within hard limits": ("x", "both", 60.0, (Z, 10.0, 3.0, "critical")),
    "only a lower limit, above": ("x", "below", 1e300, None),
    "only a lower limit, below": ("x", "below", -1.0, (H, -1.0, 0.0, "critical")),
    "limits that are NaN": ("x", "nan", 5.0, None),
    "limits that are infinite": ("x", "open", 1.7e308, None),
}


def judge_by(spark, folder, rows=LIMITS):
    file = folder / "limits.jsonl"
    limits.write(
        file, [dict(zip(("device_id", "metric", *limits.FIGURES), row, strict=True), version=7) for row in rows]
    )
    limits.register(spark, file)


@pytest.fixture(scope="module")
def judged(spark, tmp_path_factory):
    judge_by(spark, tmp_path_factory.mktemp("judged"))
    rows = [(name, device, metric, value) for name, (device, metric, value, _) in CASES.items()]
    readings = spark.createDataFrame(rows, "name STRING, device_id STRING, metric STRING, value DOUBLE")
    limited = readings.withColumn("limits", limits.of("device_id", "metric"))
    scored = limited.withColumn("detector", verdict.detector())
    detector = scored["detector"]
    shown = scored.select(
        "name",
        "detector",
        verdict.score(detector).alias("score"),
        verdict.threshold(detector).alias("threshold"),
        verdict.severity(detector).alias("severity"),
    )
    return {row.name: row for row in shown.collect()}


@pytest.mark.parametrize("name", CASES)
def test_verdict(judged, name):
    row, expected = judged[name], CASES[name][3]
    if expected is None:
        assert row.detector is None
    else:
        assert (row.detector, row.score, row.threshold, row.severity) == expected


def test_every_reading_is_judged_once(judged):
    # A row too many among the limits would double alerts, and a null among them lose readings.
    assert judged.keys() == CASES.keys()


@pytest.fixture
def outgoing(spark, tmp_path):
    def of(*messages, rows=LIMITS):
        judge_by(spark, tmp_path, rows)
        return alerts.outgoing(kafka(spark, messages), TOPICS, 4096).collect()

    return of


def test_an_anomaly_leaves_as_the_json_of_the_contract(outgoing):
    values = {"t": 150.5, "z": 60.0, "humidity": 3}
    body = {"device_id": "Süd-1", "sensor_id": "s-1", "timestamp": RECEIVED.timestamp() + 0.123456, **values}
    rows = outgoing(message(body))
    assert {row.topic for row in rows} == {TOPICS.anomaly}
    assert {bytes(row.key) for row in rows} == {"Süd-1".encode()}
    assert [row.headers for row in rows] == [None, None]
    found = {one["metric"]: one for one in (json.loads(bytes(row.value)) for row in rows)}
    assert found.keys() == {"t", "z"}

    one = found["t"]
    assert list(one) == list(json_schema("anomaly")["properties"])
    micros = round(RECEIVED.timestamp() * 1e6) + 123_456
    assert one["anomaly_id"] == identity.anomaly_id("Süd-1", "t", micros, H)
    assert (one["device_id"], one["sensor_id"], one["value"]) == ("Süd-1", "s-1", 150.5)
    assert (one["score"], one["threshold"], one["severity"], one["detector"]) == (150.5, 100.0, "critical", H)
    assert one["is_anomaly"] is True
    assert one["features"] == {"lower": 0.0, "upper": 100.0}
    assert (one["threshold_version"], one["model_version"]) == (7, None)
    assert (one["window_start"], one["window_end"]) == (None, None)
    assert one["event_time"] == "2026-11-03T12:00:00.123456Z"
    assert one["event_date"] == "2026-11-03"
    since = datetime.now(UTC) - datetime.fromisoformat(one["detected_at"])
    assert 0 <= since.total_seconds() < 300
    assert found["z"]["features"] == {"mean": 50.0, "stddev": 2.0, "z_limit": 3.0}


def test_an_anomaly_survives_the_way_through_kafka(spark, tmp_path):
    body = {"device_id": 'quote"\\ \u0007 泵', "timestamp": RECEIVED.isoformat(), "t": -1.7e308, "tiny": 1e300}
    judge_by(spark, tmp_path)
    sent = alerts.outgoing(kafka(spark, [message(body)]), TOPICS, 4096)
    rows = {row["metric"]: row for row in anomalies.parse(sent.select("value").toArrow()["value"]).to_pylist()}
    assert (rows["t"]["value"], rows["t"]["device_id"], rows["t"]["score"]) == (-1.7e308, body["device_id"], -1.7e308)
    assert dict(rows["t"]["features"]) == {"lower": 0.0, "upper": 100.0}
    assert rows["tiny"]["score"] == INFINITY


def headers_of(row):
    return {header.key: bytes(header.value) for header in row.headers}


def test_a_dead_letter_leaves_with_its_bytes_and_where_it_came_from(outgoing):
    body, key = b"\xff\x00 not json", b"\xfe"
    (row,) = outgoing(message(body, 41, partition=1, key=key, headers=[("trace", b"1")]))
    assert (row.topic, bytes(row.value), bytes(row.key)) == (TOPICS.dead_letter, body, key)
    assert headers_of(row) == {
        "dq_reason": b"malformed",
        "source_topic": b"raw",
        "source_partition": b"1",
        "source_offset": b"41",
        "replay_count": b"0",
        "payload_bytes": b"11",
    }


def test_of_a_dead_letter_that_no_topic_would_take_the_beginning_leaves(outgoing):
    (row,) = outgoing(message(b"x" * 20_000_000, key=b"k" * 100_000))
    assert (len(row.value), len(row.key)) == (alerts.LARGEST_CARRIED, 65_536)
    assert headers_of(row)["dq_reason"] == b"oversize"
    assert headers_of(row)["payload_bytes"] == b"20000000"


def test_a_dead_letter_without_value_or_key_has_neither(outgoing):
    (row,) = outgoing(message(None, key=None))
    assert (row.topic, row.key, row.value) == (TOPICS.dead_letter, None, None)


def test_a_dead_letter_that_came_back_says_how_often(outgoing):
    # Without it a message that is bad for ever goes round for ever.
    (row,) = outgoing(message(b"x", headers=[("replay_count", b"2")]))
    assert headers_of(row)["replay_count"] == b"2"


def test_a_bad_message_is_one_dead_letter_however_many_metrics_it_has(outgoing):
    body = {"device_id": "own", "timestamp": RECEIVED.isoformat(), "t": 500, "both": 500, "z": "x"}
    rows = outgoing(message(body))
    assert [row.topic for row in rows] == [TOPICS.dead_letter]
    assert headers_of(rows[0])["dq_reason"] == b"wrong_type:z"


def test_without_thresholds_dead_letters_still_leave(outgoing):
    rows = outgoing(message(b"x"), message(single()), rows=[])
    assert [row.topic for row in rows] == [TOPICS.dead_letter]
