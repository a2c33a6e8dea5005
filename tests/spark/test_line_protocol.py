"""Lines for InfluxDB: one that it cannot read makes it refuse the whole batch, again and again."""

import sys
from datetime import UTC, datetime

import pytest
from pyspark.sql import functions as F

from streaming import metrics
from streaming.line_protocol import integer, line, number, text
from streaming.sinks.influxdb import anomaly_line

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
    "backslash and newline at the end": ("a\\\n", "m,tag=a__ "),
    "only a backslash": ("\\", "m,tag=_ "),
    "empty": ("", "m "),
    "null": (None, "m "),
    "unicode": ("Süd 泵", "m,tag=Süd\\ 泵 "),
}


@pytest.fixture(scope="module")
def lines_of_tags(spark):
    rows = spark.createDataFrame(
        [(name, tag, TIME) for name, (tag, _) in TAGS.items()], "name STRING, tag STRING, time TIMESTAMP"
    )
    made = line("m", {"tag": F.col("tag")}, {"v": number(F.lit(1.0))}, F.col("time"))
    return {row.name: row.line for row in rows.select("name", made.alias("line")).collect()}


@pytest.mark.parametrize("name", TAGS)
def test_tags(lines_of_tags, name):
    assert lines_of_tags[name] == f"{TAGS[name][1]}v=1.0 {NANOS}"


def test_fields(spark):
    largest = sys.float_info.max
    values = [1.5, -0.0, 1e300, 5e-324, largest, -largest, float("nan"), float("inf"), float("-inf"), None]
    rows = spark.createDataFrame([(value, TIME) for value in values], "value DOUBLE, time TIMESTAMP")
    made = line("m", {}, {"v": number(F.col("value")), "n": integer(F.lit(3))}, F.col("time"))
    found = [row.line.split(" ")[1] for row in rows.select(made.alias("line")).collect()]
    assert [field.removesuffix("n=3i").rstrip(",") for field in found[6:]] == [""] * 4
    read = [float(field.removeprefix("v=").removesuffix(",n=3i")) for field in found[:6]]
    assert read == values[:6]


def test_texts_are_quoted(spark):
    rows = spark.createDataFrame([('say "hi" \\ bye, a=b\nc', TIME), (None, TIME)], "said STRING, time TIMESTAMP")
    made = line("m", {}, {"said": text(F.col("said")), "v": number(F.lit(1.0))}, F.col("time"))
    found = [row.line for row in rows.select(made.alias("line")).collect()]
    assert found == [f'm said="say \\"hi\\" \\\\ bye, a=b\nc",v=1.0 {NANOS}', f"m v=1.0 {NANOS}"]


def test_a_reading_names_its_sensor_only_where_it_is_another_than_the_device(spark):
    rows = spark.createDataFrame(
        [("d", "d", None, "t", 1.5, TIME), ("d", "s", "hall 3", "t", 1.5, TIME)],
        "device_id STRING, sensor_id STRING, location STRING, metric STRING, value DOUBLE, event_time TIMESTAMP",
    )
    assert [row.line for row in rows.select(metrics.reading_line().alias("line")).collect()] == [
        f"sensor_metrics,device_id=d,metric=t,window=raw value=1.5 {NANOS}",
        f"sensor_metrics,device_id=d,location=hall\\ 3,metric=t,sensor_id=s,window=raw value=1.5 {NANOS}",
    ]


def test_a_feature_that_overflowed_keeps_its_other_figures(spark):
    names = ("mean", "stddev", "min", "max", "range", "delta", "rate_of_change")
    figures = (0.0, float("nan"), -1.7e308, 1.7e308, float("inf"), float("-inf"), 2.0)
    columns = ", ".join(f"{name} DOUBLE" for name in names)
    rows = spark.createDataFrame(
        [("tumbling_1m", TIME, "d", "t", 2, *figures)],
        f"window_kind STRING, window_end TIMESTAMP, device_id STRING, metric STRING, count BIGINT, {columns}",
    )
    assert rows.select(metrics.feature_line().alias("line")).first().line == (
        "sensor_metrics,device_id=d,metric=t,window=tumbling_1m "
        f"count=2i,mean=0.0,min=-1.7E308,max=1.7E308,rate_of_change=2.0 {NANOS}"
    )


def test_an_anomaly(spark):
    rows = spark.createDataFrame(
        [("hard_limit", "d", "t", "critical", 9.5, float("inf"), 3.0, "0a1b", TIME)],
        "detector STRING, device_id STRING, metric STRING, severity STRING, value DOUBLE, score DOUBLE, "
        "threshold DOUBLE, anomaly_id STRING, event_time TIMESTAMP",
    )
    assert rows.select(anomaly_line().alias("line")).first().line == (
        "sensor_anomalies,detector=hard_limit,device_id=d,metric=t,severity=critical "
        f'value=9.5,threshold=3.0,anomaly_id="0a1b" {NANOS}'
    )
