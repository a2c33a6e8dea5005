"""The ids of contracts/identity.py, computed by Spark."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from contracts.identity import LENGTH, SEPARATOR


def reading_id() -> Column:
    """Id of a reading from its columns device_id, sensor_id, metric and event_time."""
    return _digest(F.col("device_id"), F.col("sensor_id"), F.col("metric"), _micros(F.col("event_time")))


def anomaly_id(detector: Column) -> Column:
    """Id of a verdict from the columns device_id, metric and event_time and the detector's name."""
    return _digest(F.col("device_id"), F.col("metric"), _micros(F.col("event_time")), detector)


def _micros(time: Column) -> Column:
    return F.unix_micros(time).cast("string")


def _digest(*parts: Column) -> Column:
    return F.substring(F.sha2(F.concat_ws(SEPARATOR, *parts), 256), 1, LENGTH)
