"""What it costs to decode a message once for the lake, its features and its metrics, against once for each.

The same static batch goes through the very functions of the stream in one local session: decoded once, cached and used
three times, and decoded by each of three. Counted is the processor time of Spark's task threads, which other load on
the machine does not change as it does the clock's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.avro import field_names
from contracts.topics import Topics
from edge.simulator import Simulator
from streaming import metrics, panes, validation

_LARGEST = 1_048_576
_ROUNDS = 5
_MICROS = 1_000_000


@dataclass(frozen=True)
class Cost:
    """Processor time of the task threads, microseconds a message: the cheapest of the rounds after a first to warm
    up."""

    name: str
    micros: float


def measure(spark: SparkSession, messages: int, seed: int, now_micros: int) -> list[Cost]:
    """Cost of each way over a batch of `messages` of 10,000 simulated sensors."""
    raw = _batch(spark, messages, seed, now_micros).persist()
    raw.count()
    ways: dict[str, Callable[[DataFrame], None]] = {
        "decoded once, cached, used by readings, features and metrics": _shared,
        "decoded by each of the three": _separate,
    }
    return [
        Cost(name, min(_task_micros(spark, way, raw) for _ in range(_ROUNDS)) / messages) for name, way in ways.items()
    ]


def _shared(raw: DataFrame) -> None:
    rows = validation.readings_and_dead_letters(validation.judge(raw, _LARGEST)).persist()
    try:
        _readings(rows)
        _features(rows)
        _metrics(rows)
    finally:
        rows.unpersist()


def _separate(raw: DataFrame) -> None:
    for use in (_readings, _features, _metrics):
        use(validation.readings_and_dead_letters(validation.judge(raw, _LARGEST)))


def _readings(rows: DataFrame) -> None:
    with TemporaryDirectory() as folder:
        rows.select(*field_names("reading")).write.mode("overwrite").parquet(folder)


def _features(rows: DataFrame) -> None:
    panes.of(rows).toArrow()


def _metrics(rows: DataFrame) -> None:
    rows.select(metrics.reading_line().alias("line")).toArrow()


def _task_micros(spark: SparkSession, way: Callable[[DataFrame], None], raw: DataFrame) -> float:
    before = _spent(spark)
    way(raw)
    return _spent(spark) - before


def _spent(spark: SparkSession) -> float:
    """Processor time of all task threads so far, microseconds."""
    jvm: Any = spark._jvm
    threads = jvm.java.lang.management.ManagementFactory.getThreadMXBean()
    total = 0
    for thread in threads.getAllThreadIds():
        info = threads.getThreadInfo(thread)
        if info is not None and "Executor task" in info.getThreadName():
            total += threads.getThreadCpuTime(thread)
    return total / 1000


def _batch(spark: SparkSession, messages: int, seed: int, now_micros: int) -> DataFrame:
    """Simulated messages as Kafka rows."""
    simulator = Simulator(10_000, 0.0, seed, now_micros, seconds=messages / 10_000)
    block = simulator.block(0, messages)
    table = pa.table({"key": pa.array(block.keys, pa.binary()), "value": pa.array(block.payloads, pa.binary())})
    no_headers = F.lit(None).cast("array<struct<key:string,value:binary>>")
    return spark.createDataFrame(table).select(
        "key",
        "value",
        F.lit(Topics().raw).alias("topic"),
        F.lit(0).alias("partition"),
        F.monotonically_increasing_id().alias("offset"),
        F.timestamp_micros(F.lit(now_micros + int(messages / 10_000 * _MICROS))).alias("timestamp"),
        no_headers.alias("headers"),
    )
