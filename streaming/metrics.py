"""The metrics query: readings and features from the lake to InfluxDB, measurement `sensor_metrics`.

It reads the Delta tables that the lake query writes, not Kafka: nothing is decoded twice, what is repeated is gone
already, and an InfluxDB that is slow or away holds up nothing but itself. The price is that a reading shows up one
lake trigger later.
"""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.tables import FEATURES, READINGS, Table
from streaming.line_protocol import integer, line, number

MEASUREMENT = "sensor_metrics"
_FILES_A_BATCH = "20"
_STATISTICS = ("mean", "stddev", "min", "max", "range", "delta", "rate_of_change")


def lines(spark: SparkSession, bucket: str) -> DataFrame:
    """The two tables as one stream of lines: column `line`."""
    readings = _stream(spark, bucket, READINGS).select(reading_line().alias("line"))
    features = _stream(spark, bucket, FEATURES).select(feature_line().alias("line"))
    return readings.unionAll(features)


def reading_line() -> Column:
    device, sensor = F.col("device_id"), F.col("sensor_id")
    tags = {
        "device_id": device,
        "location": F.col("location"),
        "metric": F.col("metric"),
        "sensor_id": F.when(sensor != device, sensor),
        "window": F.lit("raw"),
    }
    return line(MEASUREMENT, tags, {"value": number(F.col("value"))}, F.col("event_time"))


def feature_line() -> Column:
    """Features stand at the end of their window, when they became known."""
    tags = {"device_id": F.col("device_id"), "metric": F.col("metric"), "window": F.col("window_kind")}
    fields = {"count": integer(F.col("count"))} | {name: number(F.col(name)) for name in _STATISTICS}
    return line(MEASUREMENT, tags, fields, F.col("window_end"))


def _stream(spark: SparkSession, bucket: str, table: Table) -> DataFrame:
    reader = spark.readStream.format("delta").option("maxFilesPerTrigger", _FILES_A_BATCH)
    return reader.load(table.path(bucket))
