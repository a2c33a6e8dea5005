"""What it costs to decode a message once for the lake, its features and its metrics, against once for each.

The same static batch goes through the very functions of the stream in one local session: decoded once and used three
times, and decoded by each of three. Counted is the processor time of Java and of this process, which other load on the
machine does not change as it does the clock's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import psutil  # type: ignore[import-untyped]
import pyarrow as pa  # type: ignore[import-untyped]
from deltalake import write_deltalake
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.avro import field_names
from contracts.topics import Topics
from edge.simulator import Simulator
from streaming import lake, metrics, panes

_LARGEST = 1_048_576
_WARM_UP = 10
_ROUNDS = 5
_MICROS = 1_000_000


@dataclass(frozen=True)
class Cost:
    """Processor time, microseconds a message: the cheapest of the rounds after those that warm up."""

    name: str
    micros: float


def measure(spark: SparkSession, messages: int, seed: int, now_micros: int) -> list[Cost]:
    """Cost of each way over a batch of `messages` of 10,000 simulated sensors."""
    raw = _batch(spark, messages, seed, now_micros).persist()
    raw.count()
    java = psutil.Process(spark.sparkContext._gateway.proc.pid)  # type: ignore[union-attr]
    ways: dict[str, Callable[[DataFrame], None]] = {
        "decoded once, used by readings, features and metrics": _shared,
        "decoded by each of the three": _separate,
    }
    for way in ways.values():
        for _ in range(_WARM_UP):
            way(raw)
    return [Cost(name, min(_micros(java, way, raw) for _ in range(_ROUNDS)) / messages) for name, way in ways.items()]


def _shared(raw: DataFrame) -> None:
    rows = lake.collect(lake.decode(raw, _LARGEST))
    _readings(rows)
    panes.of(rows)
    metrics.reading_lines(rows)


def _separate(raw: DataFrame) -> None:
    for use in (_readings, panes.of, metrics.reading_lines):
        use(lake.collect(lake.decode(raw, _LARGEST)))


def _readings(rows: pa.Table) -> None:
    with TemporaryDirectory() as folder:
        write_deltalake(folder, rows.select(field_names("reading")))


def _micros(java: psutil.Process, way: Callable[[DataFrame], None], raw: DataFrame) -> float:
    before = _spent(java)
    way(raw)
    return (_spent(java) - before) * _MICROS


def _spent(java: psutil.Process) -> float:
    """Processor seconds so far of Java and of this process."""
    times = [java.cpu_times(), psutil.Process().cpu_times()]
    return float(sum(each.user + each.system for each in times))


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
