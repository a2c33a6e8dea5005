"""The real stream on real servers, sent everything that goes wrong: it never stops, loses nothing and doubles nothing.

The tests follow one another; those of test_broken_stream.py go on with the same stream.
"""

import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from streaming.alerts import LARGEST_CARRIED
from tests.integration.stream.deployment import assert_nothing_lost_or_doubled

pytestmark = pytest.mark.integration


def bad_inputs(name):
    """(what it is, key, value, reason) of everything that is no reading."""
    now = datetime.now(UTC)
    good = {"sensor_id": f"{name}-bad", "timestamp": now.isoformat(), "metric": "temperature", "value": 20.5}
    written = json.dumps(good).encode()

    def with_time(change):
        return json.dumps(good | {"timestamp": change}).encode()

    key = b"bad"
    return [
        ("broken UTF-8", key, written.replace(b"temperature", b"temp\xff\xfe"), "malformed"),
        ("random bytes", key, bytes(range(255, 0, -1)), "malformed"),
        ("truncated JSON", key, written[:-7], "malformed"),
        ("two objects", key, written + written, "malformed"),
        ("deep nesting", key, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "malformed"),
        ("deep nesting beside a reading", key, written[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}", "malformed"),
        ("an empty value", key, b"", "malformed"),
        ("no value", key, None, "malformed"),
        ("a null key and no JSON", None, b"hello", "malformed"),
        ("5 MB of JSON", key, json.dumps(good | {"blob": "x" * 5_000_000}).encode(), "oversize"),
        ("20 MB that came compressed", b"k" * 100_000, b"x" * 20_000_000, "oversize"),
        ("5 MB of anything", None, os.urandom(5_000_000), "oversize"),
        ("an id of 5000 characters", key, json.dumps(good | {"sensor_id": "泵" * 5000}).encode(), "oversize"),
        ("an array", key, b"[" + written + b"]", "malformed"),
        ("wrong type of id", key, json.dumps(good | {"sensor_id": 7}).encode(), "wrong_type:sensor_id"),
        ("wrong type of value", key, json.dumps(good | {"value": {"v": 1}}).encode(), "wrong_type:value"),
        ("a text for a number", key, json.dumps(good | {"value": "20.5"}).encode(), "wrong_type:value"),
        ("no fields", key, b"{}", "missing_field:device_id"),
        (
            "no value field",
            key,
            json.dumps({k: v for k, v in good.items() if k != "value"}).encode(),
            "missing_field:value",
        ),
        ("NaN", key, written.replace(b"20.5", b"NaN"), "non_finite_value"),
        ("Infinity", key, written.replace(b"20.5", b"-Infinity"), "non_finite_value"),
        ("1e999", key, written.replace(b"20.5", b"1e999"), "non_finite_value"),
        (
            "no timestamp",
            key,
            json.dumps({k: v for k, v in good.items() if k != "timestamp"}).encode(),
            "missing_field:timestamp",
        ),
        ("an impossible timestamp", key, with_time("2026-02-30T12:00:00Z"), "bad_timestamp"),
        ("a timestamp of nonsense", key, with_time("now"), "bad_timestamp"),
        ("a timestamp beyond all dates", key, with_time(1e300), "bad_timestamp"),
        ("a device a day ahead", key, with_time((now + timedelta(days=1)).isoformat()), "future_timestamp"),
        ("older than a week", key, with_time((now - timedelta(days=7, minutes=1)).isoformat()), "too_old"),
        ("from 1970", key, with_time(0), "too_old"),
    ]


def test_bad_input_ends_as_dead_letters_and_good_input_is_not_touched(deployment, life):
    now = round(datetime.now(UTC).timestamp() * 1e6)
    device = f"{deployment.name}-many"
    many = {"device_id": device, "timestamp": now, "temperature": 300, "pressure": 1000, "battery": 50, "signal": None}
    of_many = [
        deployment.ids(device, metric, now, metric == "temperature")
        for metric in ("temperature", "pressure", "battery")
    ]
    twice = deployment.good(3) + deployment.good(2, alert=True)
    without_key = deployment.reading()
    good = [
        *deployment.good(20),
        *deployment.good(5, alert=True),
        *twice,
        deployment.reading(metric="never heard of", device=f"{deployment.name}-new, a=b \\"),
        deployment.reading(metric="huge", value=1.7e308, device=f"{deployment.name}-huge", age=2),
        deployment.reading(metric="huge", value=-1.7e308, device=f"{deployment.name}-huge", age=1),
        deployment.reading(age=7 * 86_400 - 600),
        deployment.reading(age=86_400, alert=True),
        deployment.reading(age=-200),
        (None, *without_key[1:]),
        (device.encode(), json.dumps(many).encode(), of_many),
        *twice,
        twice[0],
    ]
    bad = [(key, value, reason) for _, key, value, reason in bad_inputs(deployment.name)]
    deployment.send(bad[::2] + good + bad[1::2])
    deployment.wait_for("everything to arrive", life.stream, deployment.everything_arrived)
    deployment.wait_for(
        "the dead-letter topic", life.stream, lambda: len(deployment.in_dead_letter_topic()) >= len(bad)
    )
    assert deployment.repeated == 6
    assert_nothing_lost_or_doubled(deployment)
    found = {name: (query["state"], query["failures"]) for name, query in deployment.queries().items()}
    assert found == dict.fromkeys(found, ("running", 0))
    deployment.wait_for("no lag", life.stream, lambda: deployment.queries()["lake"]["lag"] == 0)


def test_each_dead_letter_is_in_the_topic_once_with_its_bytes_and_headers(deployment, life):
    places = Counter()
    for message in deployment.in_dead_letter_topic():
        headers = {name: value.decode() for name, value in message.headers()}
        place = int(headers["source_partition"]), int(headers["source_offset"])
        places[place] += 1
        reason, value = deployment.bad[place]
        assert (headers["dq_reason"], message.value()) == (reason, value and value[:LARGEST_CARRIED])
        assert int(headers["payload_bytes"]) == len(value or b"")
        assert (headers["source_topic"], headers["replay_count"]) == (deployment.topics.raw, "0")
    assert places == Counter(list(deployment.bad))


def test_readings_arrive_in_influxdb(deployment, life):
    # One point a device, metric and time: as many as there are readings, the largest and strangest among them.
    def arrived():
        return len(deployment.in_influx("sensor_metrics", "value")) == len(deployment.readings)

    deployment.wait_for("readings in InfluxDB", life.stream, arrived)
