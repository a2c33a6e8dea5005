"""Anomalies as they come back from Kafka: what every sink reads."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.avro import field_names
from contracts.shapes import spark_ddl
from streaming.alerts import JSON_FORMAT


def parse(raw: DataFrame) -> DataFrame:
    """Kafka rows of the anomaly topic -> rows in the shape of contracts/schemas/anomaly.avsc.

    The topic is written at least once, so one batch may hold an anomaly twice. Rows without an id, which sensorlake
    does not write, are left out.
    """
    ddl = spark_ddl("anomaly").replace(" NOT NULL", "")
    parsed = raw.select(F.from_json(F.col("value").cast("string"), ddl, JSON_FORMAT).alias("anomaly"))
    rows = parsed.select(*[f"anomaly.{name}" for name in field_names("anomaly")])
    return rows.where(F.col("anomaly_id").isNotNull())
