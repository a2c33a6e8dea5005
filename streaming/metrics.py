"""The metrics query: readings and features from the lake to InfluxDB, measurement `sensor_metrics`.

It reads the Delta tables that the lake query writes, not Kafka: nothing is decoded twice, what is repeated is gone
already, and an InfluxDB that is slow or away holds up nothing but itself. The price is that a reading shows up one
lake trigger later.
"""

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from lakehouse.tables import FEATURES, READINGS, Table
from streaming.line_protocol import Column, integer, lines, number

MEASUREMENT = "sensor_metrics"
_FILES_A_BATCH = "20"
_READING = ("device_id", "metric", "sensor_id", "location", "value", "event_time")
_STATISTICS = ("mean", "stddev", "min", "max", "range", "delta", "rate_of_change")
_FEATURE = ("device_id", "metric", "window_kind", "window_end", "count", *_STATISTICS)


def rows(spark: SparkSession, bucket: str) -> DataFrame:
    """The two tables as one stream; a reading has no `window_kind`."""
    readings = _stream(spark, bucket, READINGS).select(*_READING)
    return readings.unionByName(_stream(spark, bucket, FEATURES).select(*_FEATURE), allowMissingColumns=True)


def lines_of(batch: pa.Table) -> list[Column]:
    """The lines of a batch of `rows`."""
    is_reading = batch["window_kind"].is_null()
    return [reading_lines(batch.filter(is_reading)), feature_lines(batch.filter(pc.invert(is_reading)))]


def reading_lines(readings: pa.Table) -> Column:
    device, sensor = readings["device_id"], readings["sensor_id"]
    tags = {
        "device_id": device,
        "location": readings["location"],
        "metric": readings["metric"],
        "sensor_id": pc.if_else(pc.equal(sensor, device), None, sensor),
        "window": pa.repeat("raw", readings.num_rows),
    }
    return lines(MEASUREMENT, tags, {"value": number(readings["value"])}, readings["event_time"])


def feature_lines(features: pa.Table) -> Column:
    """Features stand at the end of their window, when they became known."""
    tags = {"device_id": features["device_id"], "metric": features["metric"], "window": features["window_kind"]}
    fields = {"count": integer(features["count"])} | {name: number(features[name]) for name in _STATISTICS}
    return lines(MEASUREMENT, tags, fields, features["window_end"])


def _stream(spark: SparkSession, bucket: str, table: Table) -> DataFrame:
    reader = spark.readStream.format("delta").option("maxFilesPerTrigger", _FILES_A_BATCH)
    # Days past retention leave the tables; without this the first of them would stop the query for ever.
    return reader.option("ignoreDeletes", "true").load(table.path(bucket))
