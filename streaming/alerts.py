"""The alerts lane: each message is judged within milliseconds, before and apart from any storing.

Real-time mode, Kafka to Kafka, no state: one query writes anomalies and dead letters, each row to the topic it names.
The Kafka sink delivers at least once; an anomaly's id is a function of what it is about, so that every sink behind
knows it again.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.avro import field_names
from contracts.topics import Topics
from streaming import identity, limits, validation, verdict

LARGEST_CARRIED = 8 * 1024 * 1024
"""Of a rejected message the topic of the dead letters gets so many bytes. A message that came compressed may be larger
than any topic takes, and a query that fails to write it would fail for ever."""
_LARGEST_KEY = 65_536

JSON_FORMAT = {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX", "ignoreNullFields": "false"}


def outgoing(raw: DataFrame, topics: Topics, max_message_bytes: int) -> DataFrame:
    """Kafka rows -> rows for the Kafka sink: topic, key, value, headers; judged by the limits that are registered."""
    rows = validation.exploded(validation.judge(raw, max_message_bytes))
    rejected = F.col("dq_reason").isNotNull()
    limited = rows.withColumn("limits", limits.of("device_id", "metric"))
    scored = limited.withColumn("detector", verdict.detector())
    kept = scored.where(rejected | F.col("detector").isNotNull())
    no_headers = F.lit(None).cast("array<struct<key:string,value:binary>>")
    return kept.select(
        F.when(rejected, topics.dead_letter).otherwise(topics.anomaly).alias("topic"),
        F.when(rejected, F.substring("key", 1, _LARGEST_KEY)).otherwise(F.col("device_id").cast("binary")).alias("key"),
        F.when(rejected, F.substring("payload", 1, LARGEST_CARRIED))
        .otherwise(_anomaly().cast("binary"))
        .alias("value"),
        F.when(rejected, _dead_letter_headers()).otherwise(no_headers).alias("headers"),
    )


def _anomaly() -> Column:
    """The row as the JSON of contracts/schemas/anomaly.avsc."""
    detector = F.col("detector")
    no_time = F.lit(None).cast("timestamp")
    columns = {
        "anomaly_id": identity.anomaly_id(detector),
        "device_id": F.col("device_id"),
        "sensor_id": F.col("sensor_id"),
        "metric": F.col("metric"),
        "event_time": F.col("event_time"),
        "window_start": no_time,
        "window_end": no_time,
        "value": F.col("value"),
        "score": verdict.score(detector),
        "threshold": verdict.threshold(detector),
        "detector": detector,
        "severity": verdict.severity(detector),
        "is_anomaly": F.lit(True),
        "features": verdict.figures(),
        "threshold_version": F.col("limits.version"),
        "model_version": F.lit(None).cast("string"),
        "detected_at": _wall_clock(),
        "event_date": F.to_date("event_time"),
    }
    return F.to_json(F.struct(*[columns[name].alias(name) for name in field_names("anomaly")]), JSON_FORMAT)


def _dead_letter_headers() -> Column:
    texts = {
        "dq_reason": F.col("dq_reason"),
        "source_topic": F.col("source_topic"),
        "source_partition": F.col("source_partition").cast("string"),
        "source_offset": F.col("source_offset").cast("string"),
        "replay_count": validation.replay_count().cast("string"),
        "payload_bytes": F.coalesce(F.octet_length("payload"), F.lit(0)).cast("string"),
    }
    return F.array(
        *[F.struct(F.lit(name).alias("key"), text.cast("binary").alias("value")) for name, text in texts.items()]
    )


def _wall_clock() -> Column:
    """The time at this row. `current_timestamp()` is the start of the batch, which in real-time mode lasts a minute."""
    return F.reflect(F.lit("java.time.Instant"), F.lit("now")).cast("timestamp")
