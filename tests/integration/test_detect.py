"""The detectors on real servers: faults in the simulator's messages become rows in PostgreSQL."""

import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

import pytest
from confluent_kafka import Producer
from pyspark.sql import SparkSession

from benchmarks.detect import expected
from contracts.detectors import is_learned
from edge.block import Block
from edge.episodes import Kind
from edge.simulator import Simulator
from lakehouse import registry
from lakehouse.postgres import connect
from sensorlake.settings import Settings
from streaming import topics
from streaming.detect.reshard import reshard
from streaming.queries import QUERIES, Context

pytestmark = pytest.mark.integration

DEADLINE_SECONDS = 120


@pytest.fixture
def context(spark: SparkSession, stack_settings: Settings, tmp_path) -> Iterator[Context]:
    own = stack_settings.model_copy(update={"data_dir": tmp_path, "topic_prefix": "detect."})
    made = topics.ensure(own)
    registry.migrate(own)
    with Context.opened(spark, own, made) as opened:
        yield opened
        for query in spark.streams.active:
            query.stop()


def stored(settings: Settings) -> dict[str, tuple[str, str]]:
    connection = connect(settings, "test")
    try:
        rows = connection.run("select anomaly_id, device_id, detector from stream.anomalies")
    finally:
        connection.close()
    return {name: (device, detector) for name, device, detector in rows}


def send(context: Context, blocks: Iterable[Block]) -> None:
    producer = Producer({"bootstrap.servers": context.settings.kafka_bootstrap_servers})
    for block in blocks:
        for key, payload in zip(block.keys, block.payloads, strict=True):
            producer.produce(context.topics.raw, payload, key)
    producer.produce(context.topics.raw, b"broken", b"k")
    assert producer.flush(30) == 0


def run_until_stored(context: Context, due: Collection[str]) -> dict[str, tuple[str, str]]:
    """What is stored of the anomalies that are due, once all are or the time is up; the queries are stopped then."""
    queries = [QUERIES[name](context) for name in ("detect", "postgres")]
    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        while not set(due) <= (found := stored(context.settings)).keys() and time.monotonic() < deadline:
            assert [query.exception() for query in queries] == [None, None]
            time.sleep(0.2)
    finally:
        for query in queries:
            query.stop()
    return {name: row for name, row in found.items() if name in due}


def test_faults_of_the_simulator_are_in_postgresql_also_after_another_number_of_shards(context: Context) -> None:
    seconds = 180
    run = Simulator(20, 0.5, 11, int((time.time() - 2 * seconds) * 1e6), seconds=seconds)
    due = expected(run)
    planned = run.episodes(0)
    spiked = {run.fleet.names[sensor] for sensor in planned.sensor[planned.kind == Kind.SPIKE].tolist()}
    blocks = list(run.blocks(500))
    half = len(blocks) // 2
    first = {name for name, at in due.items() if at < blocks[half].due[0]}
    assert first
    assert first < due.keys()

    send(context, blocks[:half])
    assert run_until_stored(context, first).keys() == first

    more = context.settings.model_copy(update={"detect_shards": 3})
    assert reshard(context.spark, more).devices == 20
    send(context, blocks[half:])
    found = run_until_stored(replace(context, settings=more), due.keys())
    assert found.keys() == due.keys()
    assert all(is_learned(detector) for _, detector in found.values())
    assert spiked & {device for device, _ in found.values()}
    new = {name: row for name, row in stored(more).items() if name not in due and is_learned(row[1])}
    assert new == {}, "no alarm that the same readings do not raise in one go"
