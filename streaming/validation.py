"""Which messages are readings, and why the others are not.

A message is judged whole: it becomes readings or one dead letter, never both, so that every consumed offset is
counted once. The verdict depends on the message and on when the broker received it, never on when it is processed, so
that every query and every replay of a batch agree.

Decoding and rules are one function in Java (decoder/Decoder.java). The same rules as expressions of Spark cost 25 to
60 us a message and a second of planning at each batch; docs/decisions/decoding-in-java.md has the figures.
"""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from streaming import identity
from streaming.decoder import java
from streaming.decoder.jar import DECODER

_DECODE = "sensorlake_decode"
_SHAPE = (
    "dq_reason STRING, device_id STRING, sensor_id STRING, event_micros BIGINT, location STRING, unit STRING, "
    "measurements ARRAY<STRUCT<metric: STRING, value: DOUBLE>>"
)


def register(spark: SparkSession) -> None:
    """Make the decoder known to the session, whose classpath holds its jar."""
    # Not spark.udf.registerJavaFunction: it wants the type parameters of the class, which Janino does not write.
    decoder = getattr(spark._jvm, DECODER)()
    shape = java.data_type(spark, _SHAPE)
    spark._jsparkSession.udf().register(_DECODE, decoder, shape)


def judge(raw: DataFrame, max_message_bytes: int) -> DataFrame:
    """Kafka rows -> one row a message: where it came from, `dq_reason` (null where valid) and what it says."""
    said = F.call_udf(_DECODE, F.col("value"), F.unix_micros("timestamp"), F.lit(max_message_bytes))
    return raw.withColumn("said", said).select(
        F.col("topic").alias("source_topic"),
        F.col("partition").alias("source_partition"),
        F.col("offset").alias("source_offset"),
        F.col("timestamp").alias("received_at"),
        "key",
        "value",
        "headers",
        *[
            F.col(f"said.{name}")
            for name in ("dq_reason", "device_id", "sensor_id", "location", "unit", "measurements")
        ],
        F.timestamp_micros("said.event_micros").alias("event_time"),
    )


def exploded(judged: DataFrame) -> DataFrame:
    """Judged messages -> one row a reading with `metric` and `value`, and one a rejected message, with `payload` and
    `headers` instead."""
    rejected = F.col("dq_reason").isNotNull()
    return judged.select(
        *[column for column in judged.columns if column not in ("value", "headers", "measurements")],
        F.when(rejected, F.col("value")).alias("payload"),
        F.when(rejected, F.col("headers")).alias("headers"),
        # An outer explode: Spark would answer an inner one with a filter of its own, which decodes every message twice.
        F.inline_outer("measurements").alias("metric", "value"),
    )


def readings_and_dead_letters(judged: DataFrame) -> DataFrame:
    """One row a reading, and one a rejected message, with the columns of contracts/schemas/{reading,dead_letter}.avsc
    in one shape; `dq_reason` tells the two apart."""
    valid = F.col("dq_reason").isNull()
    day = F.to_date(F.when(valid, F.col("event_time")).otherwise(F.col("received_at")))
    return exploded(judged).withColumns({"reading_id": F.when(valid, identity.reading_id()), "event_date": day})


def replay_count() -> Column:
    """How often this message came back from the dead letters, as its header says; 0 where it says nothing."""
    ours = F.filter("headers", lambda header: header["key"] == "replay_count")
    return F.coalesce(F.get(ours, F.lit(0))["value"].cast("string").try_cast("int"), F.lit(0))
