"""What is a reading and what is not, and why: through the same functions as every query of the stream."""

import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import identity
from streaming import validation
from tests.spark.messages import RECEIVED, kafka, message, single

LARGEST = 4096
NOW = RECEIVED.isoformat()
MICROS = round(RECEIVED.timestamp() * 1_000_000)


def multi(**changes):
    fields = {"device_id": "pump-1", "timestamp": NOW, "temperature": 20.5, "pressure": 1013}
    return {name: field for name, field in (fields | changes).items() if field is not ...}


def judged(spark, values):
    """For each value, in order: its rows of `readings_and_dead_letters`."""
    raw = kafka(spark, [message(value, offset) for offset, value in enumerate(values)])
    rows = validation.readings_and_dead_letters(validation.judge(raw, LARGEST)).collect()
    found = [[] for _ in values]
    for row in rows:
        found[row.source_offset].append(row)
    return found


def text(body):
    return json.dumps(body).encode()


def with_value(literal):
    """A message whose value is written as `literal`."""
    return text(single(value="VALUE")).replace(b'"VALUE"', literal)


REFUSED = {
    # nothing that could be read
    "no value": (None, "malformed"),
    "empty": (b"", "malformed"),
    "blank": (b"   \n", "malformed"),
    "broken UTF-8 in a text": (text(single()).replace(b"pump-1-t", b"pump-\xff\xfe"), "malformed"),
    "cut-off UTF-8 at the end": (b'{"device_id":"\xc3', "malformed"),
    "UTF-16": (json.dumps(single()).encode("utf-16"), "malformed"),
    "UTF-16 without a mark": (json.dumps(single()).encode("utf-16-le"), "malformed"),
    "UTF-32": (json.dumps(single()).encode("utf-32-be"), "malformed"),
    "binary": (bytes(range(256)), "malformed"),
    "truncated in a name": (text(single())[:9], "malformed"),
    "truncated in a value": (text(single())[:-3], "malformed"),
    "truncated before the end": (text(single())[:-1], "malformed"),
    "an array": (text([single()]), "malformed"),
    "a text": (b'"hello"', "malformed"),
    "a number": (b"17", "malformed"),
    "null": (b"null", "malformed"),
    "two objects": (text(single()) * 2, "malformed"),
    "garbage behind": (text(single()) + b" x", "malformed"),
    "a comma too many": (text(single())[:-1] + b",}", "malformed"),
    "single quotes": (text(single()).replace(b'"', b"'"), "malformed"),
    "a comment": (text(single())[:-1] + b"/* */}", "malformed"),
    "a name twice": (text(single())[:-1] + b',"value":2}', "malformed"),
    "an unknown name twice": (text(multi())[:-1] + b',"temperature":2}', "malformed"),
    "nested 5000 deep": (text(single())[:-1] + b',"x":' + b"[" * 1900 + b"]" * 1900 + b"}", "malformed"),
    "a number of 3000 digits": (with_value(b"1" * 3000), "malformed"),
    "lone surrogate as an id": (text(single(device_id="pump\ud800")), "malformed"),
    "lone surrogate as a metric": (text(multi(**{"\udc00": 1})), "malformed"),
    "surrogates the wrong way round": (text(single(sensor_id="\udc00\ud800")), "malformed"),
    "larger than allowed": (text(single(comment="x" * LARGEST)), "oversize"),
    "larger than allowed and no JSON": (b"x" * (LARGEST + 1), "oversize"),
    "an id of 600 characters": (single(device_id="p" * 600), "oversize"),
    "a location of 600 characters": (single(meta={"location": "p" * 600}), "oversize"),
    "a metric of many of 600 characters": (multi(**{"p" * 600: 1}), "oversize"),
    "a wrong metric's name of 600 characters": (multi(**{"p" * 600: "x"}), "oversize"),
    # missing
    "an empty object": (b"{}", "missing_field:device_id"),
    "no ids, one metric": (single(device_id=..., sensor_id=...), "missing_field:sensor_id"),
    "no ids, many metrics": (multi(device_id=...), "missing_field:device_id"),
    "null id": (multi(device_id=None), "missing_field:device_id"),
    "empty id": (multi(device_id=""), "missing_field:device_id"),
    "no timestamp": (single(timestamp=...), "missing_field:timestamp"),
    "null timestamp": (single(timestamp=None), "missing_field:timestamp"),
    "no metric": (single(metric=...), "missing_field:metric"),
    "empty metric": (single(metric=""), "missing_field:metric"),
    "no value field": (single(value=...), "missing_field:value"),
    "null value": (single(value=None), "missing_field:value"),
    "many metrics, none there": (multi(temperature=..., pressure=None), "missing_field:metric"),
    "a metric without a name": ({"device_id": "a", "timestamp": NOW, "": 1}, "missing_field:metric"),
    # of the wrong type
    "id a number": (single(device_id=17), "wrong_type:device_id"),
    "id an object": (single(sensor_id={"id": 1}), "wrong_type:sensor_id"),
    "timestamp an object": (single(timestamp={"s": 1}), "wrong_type:timestamp"),
    "timestamp true": (single(timestamp=True), "wrong_type:timestamp"),
    "metric a number": (single(metric=3), "wrong_type:metric"),
    "value a text": (single(value="21.5"), "wrong_type:value"),
    "value a text that says NaN": (single(value="NaN"), "wrong_type:value"),
    "value true": (single(value=True), "wrong_type:value"),
    "value nested": (single(value={"celsius": [21.5]}), "wrong_type:value"),
    "a metric of many a text": (multi(pressure="1013"), "wrong_type:pressure"),
    "a metric of many nested": (multi(pressure=[1, {"a": 2}]), "wrong_type:pressure"),
    "a metric of many true": (multi(pressure=True), "wrong_type:pressure"),
    # not finite
    "NaN": (with_value(b"NaN"), "non_finite_value"),
    "Infinity": (with_value(b"Infinity"), "non_finite_value"),
    "-Infinity": (with_value(b"-Infinity"), "non_finite_value"),
    "1e999": (with_value(b"1e999"), "non_finite_value"),
    "-1e999": (with_value(b"-1e999"), "non_finite_value"),
    "one of many not finite": (multi(pressure=float("nan")), "non_finite_value"),
    # when
    "no date": (single(timestamp="yesterday"), "bad_timestamp"),
    "empty timestamp": (single(timestamp=""), "bad_timestamp"),
    "no zone": (single(timestamp="2026-11-03T12:00:00"), "bad_timestamp"),
    "a date only": (single(timestamp="2026-11-03"), "bad_timestamp"),
    "30 February": (single(timestamp="2026-02-30T12:00:00Z"), "bad_timestamp"),
    "hour 25": (single(timestamp="2026-11-03T25:00:00Z"), "bad_timestamp"),
    "zone of 99 hours": (single(timestamp="2026-11-03T12:00:00+99:00"), "bad_timestamp"),
    "date and time run together": (single(timestamp="2026-11-0312:00:00Z"), "bad_timestamp"),
    "year a million": (single(timestamp="+1000000-01-01T00:00:00Z"), "bad_timestamp"),
    "epoch as a text": (single(timestamp=str(MICROS)), "bad_timestamp"),
    "epoch in nanoseconds": (single(timestamp=MICROS * 1000), "bad_timestamp"),
    "timestamp NaN": (single(timestamp=float("nan")), "bad_timestamp"),
    "timestamp infinite": (
        text(single(timestamp=0)).replace(b'"timestamp": 0', b'"timestamp": 1e999'),
        "bad_timestamp",
    ),
    "five minutes and a bit ahead": (single(seconds=300.001), "future_timestamp"),
    "a day ahead": (single(seconds=86_400), "future_timestamp"),
    "year 9999": (single(timestamp="9999-12-31T23:59:59Z"), "future_timestamp"),
    "a week and a bit old": (single(seconds=-7 * 86_400 - 0.001), "too_old"),
    "1970": (single(timestamp=0), "too_old"),
    "before 1970": (single(timestamp=-86_400), "too_old"),
    "year 0000": (single(timestamp="0000-01-01T00:00:00Z"), "too_old"),
}
# Of several faults the message names one: what is missing or of the wrong type before what a value says.
REFUSED |= {
    "no device and no timestamp": ({"metric": "t", "value": 1}, "missing_field:sensor_id"),
    "NaN a day ahead": (single(value=float("nan"), seconds=86_400), "non_finite_value"),
    "one metric bad, one good": (multi(pressure=None, temperature="x"), "wrong_type:temperature"),
}


@pytest.fixture(scope="module")
def refused(spark):
    return dict(zip(REFUSED, judged(spark, [value for value, _ in REFUSED.values()]), strict=True))


@pytest.mark.parametrize("name", REFUSED)
def test_a_message_that_is_no_reading_is_one_dead_letter_with_its_reason_and_bytes(refused, name):
    value, reason = REFUSED[name]
    (row,) = refused[name]
    assert row.dq_reason == reason
    assert row.payload == (value if value is None or isinstance(value, bytes) else text(value))
    assert (row.reading_id, row.value, row.metric, row.device_id) == (None, None, None, None)
    assert row.event_date == RECEIVED.date()


LONG_ID = "p" * 300
ACCEPTED = {
    "one metric": (single(), [("pump-1", "pump-1-t", "temperature", 1.5)]),
    "device from sensor": (single(device_id=...), [("pump-1-t", "pump-1-t", "temperature", 1.5)]),
    "sensor from device": (single(sensor_id=...), [("pump-1", "pump-1", "temperature", 1.5)]),
    "empty sensor": (single(sensor_id=""), [("pump-1", "pump-1", "temperature", 1.5)]),
    "many metrics": (multi(), [("pump-1", "pump-1", "pressure", 1013.0), ("pump-1", "pump-1", "temperature", 20.5)]),
    "a null among many": (multi(pressure=None), [("pump-1", "pump-1", "temperature", 20.5)]),
    "unknown fields beside one metric": (
        single(firmware="1.2", tags=["a"], extra={"b": 1}, spare=float("nan")),
        [("pump-1", "pump-1-t", "temperature", 1.5)],
    ),
    "unknown metric and device": (single(device_id="new", metric="µ-flux"), [("new", "pump-1-t", "µ-flux", 1.5)]),
    "an integer": (with_value(b"-7"), [("pump-1", "pump-1-t", "temperature", -7.0)]),
    "an exponent": (with_value(b"2.5E-3"), [("pump-1", "pump-1-t", "temperature", 0.0025)]),
    "a number of 900 digits": (with_value(b"0." + b"1" * 900), [("pump-1", "pump-1-t", "temperature", 1 / 9)]),
    "minus zero": (with_value(b"-0.0"), [("pump-1", "pump-1-t", "temperature", 0.0)]),
    "the largest double": (
        with_value(b"1.7976931348623157e308"),
        [("pump-1", "pump-1-t", "temperature", 1.7976931348623157e308)],
    ),
    "a long id": (single(device_id=LONG_ID), [(LONG_ID, "pump-1-t", "temperature", 1.5)]),
    "unicode ids": (
        json.dumps(single(device_id="Pumpe-Süd-泵-🔧", sensor_id="é"), ensure_ascii=False).encode(),
        [("Pumpe-Süd-泵-🔧", "é", "temperature", 1.5)],
    ),
    "an escaped metric among many": (
        multi(pressure=..., temperature=..., **{"🔧": 3}),
        [("pump-1", "pump-1", "🔧", 3.0)],
    ),
    "one metric and a field name of 600 characters": (
        single(**{"p" * 600: 1}),
        [("pump-1", "pump-1-t", "temperature", 1.5)],
    ),
    "escaped unicode ids": (single(device_id="Pumpe-🔧"), [("Pumpe-🔧", "pump-1-t", "temperature", 1.5)]),
    "blanks around": (b" \n\t" + text(single()) + b"\n", [("pump-1", "pump-1-t", "temperature", 1.5)]),
    "UTF-8 with a byte order mark": (b"\xef\xbb\xbf" + text(single()), [("pump-1", "pump-1-t", "temperature", 1.5)]),
    "nested, but within reason": (single(x=[[[[{"a": [1]}]]]]), [("pump-1", "pump-1-t", "temperature", 1.5)]),
}


@pytest.fixture(scope="module")
def accepted(spark):
    return dict(zip(ACCEPTED, judged(spark, [value for value, _ in ACCEPTED.values()]), strict=True))


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_messages_become_readings_with_their_ids(accepted, name):
    rows = accepted[name]
    assert [row.dq_reason for row in rows] == [None] * len(rows)
    found = sorted((row.device_id, row.sensor_id, row.metric, row.value) for row in rows)
    assert found == ACCEPTED[name][1]
    for row in rows:
        assert row.reading_id == identity.reading_id(row.device_id, row.sensor_id, row.metric, MICROS)
        assert (row.payload, row.event_date) == (None, RECEIVED.date())


TIMES = {
    "seconds": (MICROS // 1_000_000, 0),
    "seconds with a fraction": (MICROS / 1e6 + 0.25, 250_000),
    "milliseconds": (MICROS // 1000 + 7, 7_000),
    "microseconds": (MICROS + 7, 7),
    "Z": ("2026-11-03T12:00:00Z", 0),
    "lower case": ("2026-11-03t12:00:00z", 0),
    "a blank between": ("2026-11-03 12:00:00Z", 0),
    "east": ("2026-11-03T17:30:00+05:30", 0),
    "west": ("2026-11-03T09:00:00-03:00", 0),
    "zone without a colon": ("2026-11-03T13:00:00+0100", 0),
    "zone of hours": ("2026-11-03T13:00:00+01", 0),
    "no seconds": ("2026-11-03T12:00Z", 0),
    "milliseconds of a text": ("2026-11-03T12:00:00.007Z", 7_000),
    "nanoseconds are cut": ("2026-11-03T12:00:00.123456789Z", 123_456),
    "just within the week": ((RECEIVED - timedelta(days=7)).isoformat(), -7 * 86_400_000_000),
    "just within five minutes": ((RECEIVED + timedelta(minutes=5)).isoformat(), 300_000_000),
}


@pytest.fixture(scope="module")
def times(spark):
    return dict(zip(TIMES, judged(spark, [single(timestamp=given) for given, _ in TIMES.values()]), strict=True))


@pytest.mark.parametrize("name", TIMES)
def test_timestamps(times, name):
    (row,) = times[name]
    assert row.dq_reason is None
    expected = MICROS + TIMES[name][1]
    assert row.reading_id == identity.reading_id("pump-1", "pump-1-t", "temperature", expected)
    assert row.event_date == datetime.fromtimestamp(expected / 1e6, UTC).date()


def test_unit_and_location_from_meta_or_the_message(spark):
    rows = judged(
        spark,
        [
            single(meta={"unit": "°C", "location": "hall 3", "more": [1]}, unit="K", location="x"),
            single(unit="K", location="x"),
            single(meta={}),
            single(meta=None),
            single(meta="hall 3"),
            single(meta={"unit": 5, "location": ["a"]}),
            multi(location="x", unit="K", battery=88, signal=-70),
        ],
    )
    assert [(row[0].unit, row[0].location) for row in rows[:6]] == [
        ("°C", "hall 3"),
        ("K", "x"),
        (None, None),
        (None, None),
        (None, None),
        (None, None),
    ]
    assert {(row.metric, row.unit, row.location) for row in rows[6]} == {
        (metric, None, "x") for metric in ("temperature", "pressure", "battery", "signal")
    }


def test_the_verdict_depends_on_arrival_not_on_today(spark):
    # A batch that is repeated a month later must decide as it did, or what was stored would not be what was counted.
    long_ago = datetime(2019, 5, 1, tzinfo=UTC)
    raw = kafka(spark, [message(single(timestamp=long_ago.isoformat()), received=long_ago + timedelta(days=6))])
    assert validation.judge(raw, LARGEST).first().dq_reason is None


def test_where_a_message_came_from_is_kept_with_a_null_key(spark):
    raw = kafka(spark, [message(b"x", 77, partition=3, key=None)])
    row = validation.readings_and_dead_letters(validation.judge(raw, LARGEST)).first()
    assert (row.source_topic, row.source_partition, row.source_offset, row.key) == ("raw", 3, 77, None)
    assert row.received_at.astimezone(UTC) == RECEIVED


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (None, 0),
        ([], 0),
        ([("other", b"5")], 0),
        ([("replay_count", b"3")], 3),
        ([("other", None), ("replay_count", b"2"), ("replay_count", b"9")], 2),
        ([("replay_count", b"many")], 0),
        ([("replay_count", b"\xff\xfe")], 0),
        ([("replay_count", None)], 0),
        ([("replay_count", b"99999999999999999999")], 0),
    ],
)
def test_how_often_a_message_came_back(spark, headers, expected):
    raw = kafka(spark, [message(b"x", headers=headers)])
    rows = validation.exploded(validation.judge(raw, LARGEST)).select(validation.replay_count().alias("count"))
    assert rows.first()["count"] == expected


def assert_each_counted_once(spark, values):
    for value, rows in zip(values, judged(spark, values), strict=True):
        assert rows, "a message vanished"
        if any(row.dq_reason for row in rows):
            (row,) = rows
            assert row.payload == value
            assert row.dq_reason.partition(":")[0] in {
                *("malformed", "missing_field", "wrong_type", "non_finite_value", "bad_timestamp"),
                *("future_timestamp", "too_old", "oversize"),
            }


def test_a_message_of_more_metrics_than_any_device_has_is_refused(spark):
    def of(metrics):
        return message(text({"device_id": "a", "timestamp": NOW} | {f"m{number}": 1 for number in range(metrics)}))

    rows = validation.readings_and_dead_letters(validation.judge(kafka(spark, [of(10_001)]), 1_048_576)).collect()
    assert [row.dq_reason for row in rows] == ["oversize"]
    most = validation.readings_and_dead_letters(validation.judge(kafka(spark, [of(10_000)]), 1_048_576))
    assert most.where("dq_reason is null").count() == 10_000


def test_random_bytes_never_stop_it(spark):
    chance = random.Random(5)  # noqa: S311
    values = [chance.randbytes(chance.randrange(60)) for _ in range(3000)]
    good = text(multi())
    for _ in range(6000):  # a good message with a few bytes changed, cut out or doubled
        damaged = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(damaged))
            damaged[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        values.append(bytes(damaged))
    assert_each_counted_once(spark, values)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
NAMES = st.sampled_from(["device_id", "sensor_id", "timestamp", "metric", "value", "meta", "unit", "location", "t", ""])
OBJECTS = st.dictionaries(NAMES, ANYTHING | st.just(MICROS) | st.just("x"), max_size=9)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
@given(st.lists(OBJECTS.map(text), min_size=60, max_size=60))
def test_any_json_is_counted_once(spark, values):
    assert_each_counted_once(spark, values)
