"""Kafka rows -> alarms of detection/, stateful: the frame of the query `detect`."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from streaming.decoder import java
from streaming.decoder.jar import PACKER
from streaming.detect import outgoing
from streaming.detect.processor import Detect

_SHAPE = "shard INT, names BINARY, records BINARY, clock BIGINT"
_HASH_SEED = 42  # Spark's own, for expressions and for the partition of a key alike


def shards(spark: SparkSession, count: int) -> list[int]:
    """Numbers for `count` shards, each of which falls into a state partition of its own.

    Spark puts a key into partition hash(key) mod count; 0, 1, 2 would share some and leave others empty.
    """
    hasher = spark._jvm.org.apache.spark.unsafe.hash.Murmur3_x86_32(_HASH_SEED)
    by_partition: dict[int, int] = {}
    number = 0
    while len(by_partition) < count:
        by_partition.setdefault(hasher.hashInt(number) % count, number)
        number += 1
    return [by_partition[partition] for partition in range(count)]


def places(spark: SparkSession, devices: list[str], count: int) -> list[int]:
    """Which of `count` shards each device belongs to: a number into `shards`."""
    rows = spark.createDataFrame([(device,) for device in devices], "device_id STRING")
    return [row[0] for row in rows.select(_place(count)).collect()]


@contextmanager
def partitions(spark: SparkSession, count: int) -> Iterator[None]:
    """A query that is started within has `count` state partitions; Spark asks the session for it at the start alone."""
    setting = "spark.sql.shuffle.partitions"
    before = spark.conf.get(setting)
    spark.conf.set(setting, str(count))
    try:
        yield
    finally:
        spark.conf.set(setting, before)


def alarms(raw: DataFrame, shard_numbers: list[int], max_message_bytes: int, processor: Detect) -> DataFrame:
    """Rows for the Kafka sink: key and value."""
    return (
        packed(raw, shard_numbers, max_message_bytes)
        .groupBy("shard")
        .transformWithStateInPandas(processor, outgoing.DDL, "append", "none")
    )


def packed(raw: DataFrame, shard_numbers: list[int], max_message_bytes: int) -> DataFrame:
    """The valid readings of each partition, one row a shard: shard, names, records, clock (decoder/Packer.java)."""
    spark = raw.sparkSession
    jvm = spark._jvm
    numbers = java.array(spark, jvm.int, shard_numbers)
    packer = getattr(jvm, PACKER)(numbers, max_message_bytes)
    shape = java.data_type(spark, _SHAPE)
    messages = raw.select("value", F.unix_micros("timestamp"))
    return DataFrame(messages._jdf.mapPartitions(packer, jvm.org.apache.spark.sql.Encoders.row(shape)), spark)


def _place(count: int) -> Column:
    return F.pmod(F.hash("device_id"), F.lit(count))
