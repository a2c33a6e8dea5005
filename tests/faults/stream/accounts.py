"""Ids in against ids out, sink by sink, and the words in which a test tells what happened."""

import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime

import deltalake
import orjson
import pg8000
import pyarrow as pa
import urllib3
from confluent_kafka import Consumer, KafkaException, TopicPartition

from benchmarks.comparison import Comparison, compare
from contracts import identity
from lakehouse.postgres import connect
from tests.integration.stream.deployment import Deployment

ALERTS = "alerts in Kafka"
DELTA, POSTGRES, INFLUXDB = "anomalies in Delta", "anomalies in PostgreSQL", "anomalies in InfluxDB"
READINGS, POINTS, LETTERS = "readings in Delta", "readings in InfluxDB", "dead letters in Delta"
Found = Callable[[Deployment], list[str]]
_DOES_NOT_ANSWER = (
    OSError,
    KafkaException,
    pg8000.Error,
    urllib3.exceptions.HTTPError,
    deltalake.exceptions.DeltaError,
)


def told(what: str) -> None:
    print(what, flush=True)  # noqa: T201  the account of a test


def of_topic(deployment: Deployment) -> list[str]:
    """Every anomaly of the anomaly topic, as often as it is there."""
    return [orjson.loads(value)["anomaly_id"] for value in everything(deployment, deployment.topics.anomaly)]


def everything(deployment: Deployment, topic: str) -> list[bytes]:
    """The values of all messages from the beginning of `topic` to what is now its end."""
    consumer = Consumer(
        {"bootstrap.servers": deployment.settings.kafka_bootstrap_servers, "group.id": uuid.uuid4().hex, "log_level": 0}
    )
    try:
        known = consumer.list_topics(topic, timeout=20).topics[topic].partitions
        partitions = [TopicPartition(topic, number) for number in known]
        bounds = [consumer.get_watermark_offsets(one, timeout=20) for one in partitions]
        left = sum(end - first for first, end in bounds)
        consumer.assign(
            [TopicPartition(topic, one.partition, first) for one, (first, _) in zip(partitions, bounds, strict=True)]
        )
        values: list[bytes] = []
        while left > 0:
            batch = consumer.consume(min(left, 10_000), timeout=30)
            assert batch, f"the broker holds {left} messages of {topic} that it does not hand out"
            left -= len(batch)
            values += [message.value() for message in batch]
        return values
    finally:
        consumer.close()


def _points(deployment: Deployment) -> list[str]:
    """The reading that each raw point of InfluxDB stands for."""
    rows = _flux(
        deployment,
        '|> filter(fn: (r) => r._measurement == "sensor_metrics" and r._field == "value" and r.window == "raw") '
        '|> keep(columns: ["_time", "device_id", "metric"])',
    )
    found = []
    for row in rows:
        *_, when, device, metric = row.split(",")
        found.append(identity.reading_id(device, device, metric, _micros(when)))
    return found


def _anomaly_points(deployment: Deployment) -> list[str]:
    kept = '|> filter(fn: (r) => r._measurement == "sensor_anomalies" and r._field == "anomaly_id")'
    return [row.rpartition(",")[2] for row in _flux(deployment, f'{kept} |> keep(columns: ["_value"])')]


def _flux(deployment: Deployment, pipeline: str) -> list[str]:
    """The rows of an answer as CSV; the client library's objects would take minutes for them."""
    settings = deployment.settings
    query = f'from(bucket: "{settings.influxdb_bucket}") |> range(start: -10d, stop: 2d) {pipeline} |> group()'
    body = {"query": query, "type": "flux", "dialect": {"header": False, "annotations": []}}
    token = settings.influxdb_token.get_secret_value()
    with urllib3.PoolManager(timeout=120.0, retries=3) as pool:
        answer = pool.request(
            "POST",
            f"{settings.influxdb_url}/api/v2/query?org={settings.influxdb_org}",
            body=orjson.dumps(body),
            headers={"Authorization": f"Token {token}", "Content-Type": "application/json", "Accept": "text/csv"},
        )
    assert answer.status == 200, answer.data[:300]
    return [line for line in answer.data.decode().splitlines() if line]


def _micros(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1e6)


def _rows(deployment: Deployment) -> list[str]:
    connection = connect(deployment.settings, "faults")
    try:
        query = "select anomaly_id from stream.anomalies where device_id like :mine"
        return [row[0] for row in connection.run(query, mine=f"{deployment.name}%")]
    finally:
        connection.close()


def _letters(deployment: Deployment) -> list[str]:
    rows = deployment.table("dead_letters", "source_partition", "source_offset")
    return [f"{row['source_partition']}:{row['source_offset']}" for row in rows]


FOUND: dict[str, Found] = {
    ALERTS: of_topic,
    DELTA: lambda deployment: deployment.in_lake("anomalies", "anomaly_id"),
    POSTGRES: _rows,
    INFLUXDB: _anomaly_points,
    READINGS: lambda deployment: deployment.in_lake("readings", "reading_id"),
    POINTS: _points,
    LETTERS: _letters,
}
ANOMALY_SINKS = (ALERTS, DELTA, POSTGRES, INFLUXDB)
SINKS = tuple(FOUND)


def expected(deployment: Deployment, sink: str) -> set[str]:
    """What the sink must hold of all that the broker has confirmed so far."""
    if sink in (READINGS, POINTS):
        return set(deployment.readings)
    if sink == LETTERS:
        return {f"{partition}:{offset}" for partition, offset in deployment.bad}
    return set(deployment.anomalies)


def balance(wanted: set[str], found: list[str]) -> Comparison:
    return compare(_column(sorted(wanted)), _column(found))


def _column(ids: list[str]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(ids, pa.string())])


def wait_until_there(
    deployment: Deployment,
    wanted: Mapping[str, set[str]],
    seconds: float = 480.0,
    look: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Wait until each sink holds all the ids that are wanted of it; after how many seconds each did."""
    began = time.monotonic()
    after: dict[str, float] = {}
    pause = 0.0
    missing = dict(wanted)
    while missing:
        looked = time.monotonic()
        for sink in list(missing):
            if missing[sink] <= set(_found(deployment, sink)):
                after[sink] = round(time.monotonic() - began, 1)
                del missing[sink]
        pause = max(0.3, time.monotonic() - looked)
        assert not missing or time.monotonic() - began < seconds, (
            f"after {seconds:.0f} s still waited for {', '.join(missing)}; queries: {deployment.queries()}\n"
            f"{deployment.log_end()}"
        )
        time.sleep(min(pause, 10.0) if missing else 0)
    return after


def _found(deployment: Deployment, sink: str) -> list[str]:
    try:
        return FOUND[sink](deployment)
    except _DOES_NOT_ANSWER:  # killed, or without its tables yet
        return []


def settled(deployment: Deployment, seconds: float = 480.0, sinks: tuple[str, ...] = SINKS) -> dict[str, float]:
    """Wait until all that was sent is everywhere; after how many seconds it was in each sink."""
    return wait_until_there(deployment, {sink: expected(deployment, sink) for sink in sinks}, seconds)


def require_nothing_lost_or_doubled(
    deployment: Deployment, told: Callable[[str], None], sinks: tuple[str, ...] = SINKS
):
    """Every id once in every sink; in the topic of the alerts at least once, and no other."""
    accounts = {sink: balance(expected(deployment, sink), FOUND[sink](deployment)) for sink in sinks}
    for sink, account in accounts.items():
        again = f"{account.doubled} {'sent again under the same id' if sink == ALERTS else 'doubled'}"
        told(f"{sink}: {account.expected} in, {account.found} out, {account.lost} lost, {again}")
    wrong = {
        sink: account
        for sink, account in accounts.items()
        if account.lost or account.unexpected or (account.doubled and sink != ALERTS)
    }
    assert wrong == {}
