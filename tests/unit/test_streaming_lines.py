"""Lines for InfluxDB: one that it cannot read makes it refuse the whole batch, again and again."""

import sys
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from lakehouse.columns import arrow_schema
from streaming import metrics
from streaming.line_protocol import integer, lines, number, text
from streaming.sinks.influxdb import anomaly_lines

TIME = datetime(2026, 11, 3, 12, 0, 0, 123456, tzinfo=UTC)
NANOS = 1_793_707_200_123_456_000

TAGS = {
    "plain": ("pump-1", "m,tag=pump-1 "),
    "commas, blanks, equals": ("a,b c=d", r"m,tag=a\,b\ c\=d "),
    "quotes": ("a\"b'", "m,tag=a\"b' "),
    "newlines and tabs": ("a\nb\rc\td", "m,tag=a_b_c_d "),
    "a line of its own": ("x v=1\nforged,tag=y v=2", r"m,tag=x\ v\=1_forged\,tag\=y\ v\=2 "),
    "backslash inside": ("a\\b", "m,tag=a\\b "),
    "backslash at the end": ("a\\", "m,tag=a_ "),
    "backslash and newline at the end": ("a\\\n", "m,tag=a\\_ "),
    "only a backslash": ("\\", "m,tag=_ "),
    "empty": ("", "m "),
    "null": (None, "m "),
    "unicode": ("Süd 泵", "m,tag=Süd\\ 泵 "),
}


def times(count):
    return pa.array([TIME] * count, pa.timestamp("us", "UTC"))


def ones(count):
    return number(pa.array([1.0] * count))


def rows(record, *rows):
    """Rows of a record; what they do not say is null."""
    return pa.Table.from_pylist(list(rows), schema=arrow_schema(record))


@pytest.mark.parametrize("name", TAGS)
def test_tags(name):
    given, expected = TAGS[name]
    among_others = pa.array(["plain", given], pa.string())
    assert lines("m", {"tag": among_others}, {"v": ones(2)}, times(2)).to_pylist() == [
        f"m,tag=plain v=1 {NANOS}",
        f"{expected}v=1 {NANOS}",
    ]


def test_tags_with_nothing_to_escape_and_none_at_all():
    plain = pa.array(["a", "", None, "b"])
    found = lines("m", {"tag": plain}, {"v": ones(4)}, times(4)).to_pylist()
    assert [line.split(" ")[0] for line in found] == ["m,tag=a", "m", "m", "m,tag=b"]
    assert lines("m", {"tag": plain[:0]}, {"v": ones(0)}, times(0)).to_pylist() == []


def test_fields():
    largest = sys.float_info.max
    values = [1.5, -0.0, 1e300, 5e-324, largest, -largest, float("nan"), float("inf"), float("-inf"), None]
    count = len(values)
    made = lines("m", {}, {"v": number(pa.array(values)), "n": integer(pa.array([3] * count))}, times(count))
    found = [line.split(" ")[1] for line in made.to_pylist()]
    assert found[6:] == ["n=3i"] * 4
    read = [float(field.removeprefix("v=").removesuffix(",n=3i")) for field in found[:6]]
    assert read == values[:6]


def test_texts_are_quoted():
    said = pa.array(['say "hi" \\ bye, a=b\nc', None])
    found = lines("m", {}, {"said": text(said), "v": ones(2)}, times(2)).to_pylist()
    assert found == [f'm said="say \\"hi\\" \\\\ bye, a=b\nc",v=1 {NANOS}', f"m v=1 {NANOS}"]


def test_a_reading_names_its_sensor_only_where_it_is_another_than_the_device():
    reading = {"device_id": "d", "metric": "t", "value": 1.5, "event_time": TIME}
    given = rows("reading", reading | {"sensor_id": "d"}, reading | {"sensor_id": "s", "location": "hall 3"})
    assert metrics.reading_lines(given).to_pylist() == [
        f"sensor_metrics,device_id=d,metric=t,window=raw value=1.5 {NANOS}",
        f"sensor_metrics,device_id=d,location=hall\\ 3,metric=t,sensor_id=s,window=raw value=1.5 {NANOS}",
    ]


def test_a_feature_that_overflowed_keeps_its_other_figures():
    figures = {"stddev": float("nan"), "range": float("inf"), "delta": float("-inf"), "rate_of_change": 2.0}
    keys = {"window_kind": "tumbling_1m", "window_end": TIME, "device_id": "d", "metric": "t", "count": 2}
    given = rows("feature", keys | figures | {"mean": 0.0, "min": -1.7e308, "max": 1.7e308})
    assert metrics.feature_lines(given).to_pylist() == [
        "sensor_metrics,device_id=d,metric=t,window=tumbling_1m "
        f"count=2i,mean=0,min=-1.7e+308,max=1.7e+308,rate_of_change=2 {NANOS}"
    ]


def test_an_anomaly():
    names = {"detector": "hard_limit", "device_id": "d", "metric": "t", "severity": "critical", "anomaly_id": "0a1b"}
    given = rows("anomaly", names | {"value": 9.5, "score": float("inf"), "threshold": 3.0, "event_time": TIME})
    assert anomaly_lines(given).to_pylist() == [
        "sensor_anomalies,detector=hard_limit,device_id=d,metric=t,severity=critical "
        f'value=9.5,threshold=3,anomaly_id="0a1b" {NANOS}'
    ]
