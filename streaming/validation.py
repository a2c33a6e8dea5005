"""Which messages are readings, and why the others are not.

A message is judged whole: it becomes readings or one dead letter, never both, so that every consumed offset is counted once.
The verdict depends on the message and on when the broker received it, never on when it is processed, so that every query and
every replay of a batch agree.
"""

from datetime import timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from streaming import decode, event_time, identity
from streaming.decode import DESCRIBING, is_absent, is_number, is_text

FUTURE = timedelta(minutes=5)
TOO_OLD = timedelta(days=7)

SOURCE = ("source_topic", "source_partition", "source_offset", "received_at", "key", "value", "headers")


def judge(raw: DataFrame, max_message_bytes: int) -> DataFrame:
    """Kafka rows -> one row a message: SOURCE, `dq_reason` (null where valid), `device_id`, `sensor_id`, `event_time`,
    `location` and `measurements`, an array of (metric, value, unit)."""
    decoded = decode.decode(raw, max_message_bytes).withColumnsRenamed(
        {
            "topic": "source_topic",
            "partition": "source_partition",
            "offset": "source_offset",
            "timestamp": "received_at",
        }
    )
    kinds = decoded.withColumns(
        {
            f"{name}_kind": decode.kind(_field(name))
            for name in ("device_id", "sensor_id", "timestamp", "metric", "value")
        }
    )
    named = kinds.withColumns(
        {
            "device": decode.text(_field("device_id"), F.col("device_id_kind")),
            "sensor": decode.text(_field("sensor_id"), F.col("sensor_id_kind")),
            "measurements": F.when(F.col("single"), _one_measurement()).otherwise(_many_measurements()),
            "event_time": F.coalesce(
                event_time.from_text(decode.text(_field("timestamp"), F.col("timestamp_kind"))),
                event_time.from_number(decode.number(_field("timestamp"), F.col("timestamp_kind"))),
            ),
        }
    )
    place = F.coalesce(decode.member(_field("meta"), "location"), _text_of("location"))
    return named.select(
        *SOURCE,
        _reason().alias("dq_reason"),
        F.coalesce("device", "sensor").alias("device_id"),
        F.coalesce("sensor", "device").alias("sensor_id"),
        "event_time",
        place.alias("location"),
        "measurements",
    )


def readings_and_dead_letters(judged: DataFrame) -> DataFrame:
    """One row a reading, and one a rejected message, with the columns of contracts/schemas/{reading,dead_letter}.avsc in one
    shape; `dq_reason` tells the two apart."""
    rejected = F.col("dq_reason").isNotNull()
    rows = judged.select(
        *[column for column in judged.columns if column not in ("measurements", "value", "headers")],
        F.when(rejected, F.col("value")).alias("payload"),
        F.when(rejected, replay_count()).alias("replay_count"),
        # An outer explode: Spark would answer an inner one with a filter of its own below all decoding.
        F.explode_outer(F.when(~rejected, F.col("measurements"))).alias("measurement"),
    ).select(
        "*",
        F.col("measurement.metric").alias("metric"),
        F.col("measurement.value").alias("value"),
        F.col("measurement.unit").alias("unit"),
    )
    return rows.select(
        F.when(F.col("dq_reason").isNull(), identity.reading_id()).alias("reading_id"),
        "*",
        F.to_date(F.when(F.col("dq_reason").isNull(), F.col("event_time")).otherwise(F.col("received_at"))).alias(
            "event_date"
        ),
    ).drop("measurement")


def replay_count() -> Column:
    """How often this message came back from the dead letters, as its header says; 0 where it says nothing."""
    ours = F.filter("headers", lambda header: header["key"] == "replay_count")
    return F.coalesce(F.get(ours, F.lit(0))["value"].cast("string").try_cast("int"), F.lit(0))


def _field(name: str) -> Column:
    return F.col(f"field.{name}")


def _text_of(name: str) -> Column:
    return F.try_variant_get(_field(name), "$", "string")


def _one_measurement() -> Column:
    metric = decode.text(_field("metric"), F.col("metric_kind"))
    unit = F.coalesce(decode.member(_field("meta"), "unit"), _text_of("unit"))
    return F.array(_measurement(metric, _field("value"), F.col("value_kind"), unit))


def _many_measurements() -> Column:
    metrics = F.filter(F.map_entries("many"), lambda entry: ~entry["key"].isin(*DESCRIBING))
    measured = F.filter(metrics, lambda entry: ~is_absent(decode.kind(entry["value"])))
    no_unit = F.lit(None).cast("string")
    return F.transform(
        measured, lambda entry: _measurement(entry["key"], entry["value"], decode.kind(entry["value"]), no_unit)
    )


def _measurement(metric: Column, value: Column, value_kind: Column, unit: Column) -> Column:
    return F.struct(
        metric.alias("metric"),
        decode.number(value, value_kind).alias("value"),
        unit.alias("unit"),
        value_kind.alias("kind"),
    )


def _reason() -> Column:
    """The first thing that is wrong with a message, or null."""
    single, whole = F.col("single"), F.col("whole")
    device, sensor, measurements = F.col("device"), F.col("sensor"), F.col("measurements")
    names = F.map_keys("many")
    repeats_a_name = ~single & (F.size(F.array_distinct(names)) != F.size(names))
    no_number = F.filter(measurements, lambda measurement: ~is_number(measurement["kind"]))
    first_metric = F.get(measurements, F.lit(0))["metric"]
    # Functions over arrays are interpreted; a message of one metric, by far the most common, goes without.
    not_finite = F.when(single, ~_finite(F.get(measurements, F.lit(0))["value"])).otherwise(
        F.exists(measurements, lambda measurement: ~_finite(measurement["value"]))
    )

    def wrong(name: str) -> Column:
        kind = F.col(f"{name}_kind")
        return ~is_absent(kind) & ~is_text(kind)

    return (
        F.when(F.col("oversize"), "oversize")
        .when(~whole | repeats_a_name, "malformed")
        .when(wrong("device_id"), "wrong_type:device_id")
        .when(wrong("sensor_id"), "wrong_type:sensor_id")
        .when(
            device.isNull() & sensor.isNull(),
            F.when(single, "missing_field:sensor_id").otherwise("missing_field:device_id"),
        )
        .when(is_absent(F.col("timestamp_kind")), "missing_field:timestamp")
        .when(wrong("timestamp") & ~is_number(F.col("timestamp_kind")), "wrong_type:timestamp")
        .when(single & wrong("metric"), "wrong_type:metric")
        .when(first_metric.isNull(), "missing_field:metric")
        .when(single & is_absent(F.col("value_kind")), "missing_field:value")
        .when(single & ~is_number(F.col("value_kind")), "wrong_type:value")
        .when(~single & (F.size(no_number) > 0), F.concat(F.lit("wrong_type:"), F.get(no_number, F.lit(0))["metric"]))
        .when(not_finite, "non_finite_value")
        .when(F.col("event_time").isNull(), "bad_timestamp")
        .when(F.col("event_time") > F.col("received_at") + F.lit(FUTURE), "future_timestamp")
        .when(F.col("event_time") < F.col("received_at") - F.lit(TOO_OLD), "too_old")
    )


def _finite(value: Column) -> Column:
    return ~F.isnan(value) & (F.abs(value) != F.lit(float("inf")))
