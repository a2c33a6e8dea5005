"""A stream with topics, bucket and checkpoints of its own on the session's servers, and what it was sent."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count

import boto3
import deltalake
import pg8000
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from influxdb_client import InfluxDBClient

from contracts import identity
from contracts.topics import Topics
from lakehouse.postgres import connect
from sensorlake.settings import PREFIX

COMMAND = [sys.executable, "-c", "from sensorlake.command_line import main; main()"]
FASTER = {
    "alerts_batch_seconds": 5,
    "lake_trigger_seconds": 2,
    "metrics_trigger_seconds": 2,
    "spark_driver_memory": "1g",
}
PATIENCE = 480.0


class Deployment:
    """Topics, bucket, checkpoints and devices of its own, and what was sent there and must be found."""

    def __init__(self, stack, folder):
        name = f"bad-{uuid.uuid4().hex[:8]}"
        self.name, self.numbers = name, count()
        self.settings = stack.model_copy(
            update={"topic_prefix": f"{name}.", "lake_bucket": name, "influxdb_bucket": name, "data_dir": folder}
            | FASTER
        )
        self.topics = Topics(self.settings.topic_prefix)
        self.bad: dict[tuple[int, int], tuple[str, bytes | None]] = {}
        self.readings: set[str] = set()
        self.anomalies: set[str] = set()
        self.repeated = 0
        with self._s3() as client:
            client.create_bucket(Bucket=name)
        with self.influx() as client:
            client.buckets_api().create_bucket(bucket_name=name, org=self.settings.influxdb_org)

    @contextmanager
    def _s3(self):
        client = boto3.client(
            "s3",
            endpoint_url=self.settings.s3_endpoint,
            aws_access_key_id=self.settings.s3_access_key,
            aws_secret_access_key=self.settings.s3_secret_key.get_secret_value(),
            region_name="us-east-1",
        )
        try:
            yield client
        finally:
            client.close()

    def influx(self):
        found = self.settings
        token = found.influxdb_token.get_secret_value()
        return InfluxDBClient(url=found.influxdb_url, token=token, org=found.influxdb_org, timeout=60_000)

    def environment(self, **changes):
        own = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        for field, value in self.settings.model_copy(update=changes):
            plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
            own[PREFIX + field.upper()] = str(plain)
        return own

    # Sending: what is sent is noted with what must become of it.

    def send(self, messages):
        """(key, value, becomes): becomes is a reason, or a list of (reading id, anomaly id or None), one a reading."""
        producer = Producer(
            {
                "bootstrap.servers": self.settings.kafka_bootstrap_servers,
                "message.max.bytes": 32_000_000,
                "compression.type": "lz4",
            }
        )
        for key, value, becomes in messages:
            producer.produce(self.topics.raw, value, key, on_delivery=self._delivered(value, becomes))
            producer.poll(0)
        assert producer.flush(60) == 0

    def _delivered(self, value, becomes):
        def delivered(error, message):
            assert error is None
            if isinstance(becomes, str):
                self.bad[message.partition(), message.offset()] = (becomes, value)
                return
            for reading, anomaly in becomes:
                self.repeated += reading in self.readings
                self.readings.add(reading)
                self.anomalies |= {anomaly} - {None}

        return delivered

    def good(self, how_many, **changes):
        """Messages of one metric; `alert` makes them break the hard limit of temperature."""
        return [self.reading(**changes) for _ in range(how_many)]

    def reading(self, *, alert=False, device=None, metric="temperature", value=20.5, age=0.0):
        device = device or f"{self.name}-{next(self.numbers)}"
        at = datetime.now(UTC) - timedelta(seconds=age)
        micros = round(at.timestamp() * 1e6)
        body = {"sensor_id": device, "timestamp": micros, "metric": metric, "value": 500 if alert else value}
        return device.encode(), json.dumps(body).encode(), [self.ids(device, metric, micros, alert)]

    @staticmethod
    def ids(device, metric, micros, alert):
        found = identity.anomaly_id(device, metric, micros, "hard_limit") if alert else None
        return identity.reading_id(device, device, metric, micros), found

    # Finding: everything that is there, as often as it is there.

    def table(self, name, *columns):
        options = {
            "AWS_ENDPOINT_URL": self.settings.s3_endpoint,
            "AWS_ACCESS_KEY_ID": self.settings.s3_access_key,
            "AWS_SECRET_ACCESS_KEY": self.settings.s3_secret_key.get_secret_value(),
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }
        found = deltalake.DeltaTable(f"s3://{self.settings.lake_bucket}/{name}", storage_options=options)
        return found if not columns else found.to_pyarrow_table(columns=list(columns)).to_pylist()

    def in_lake(self, name, column):
        return [row[column] for row in self.table(name, column)]

    def counted(self):
        total = Counter()
        for commit in self.table("readings").history():
            total.update(json.loads(commit.get("userMetadata", "{}")))
        return total["valid"], total["dead_letters"], total["duplicates"]

    def in_postgres(self):
        connection = connect(self.settings, "tests")
        try:
            query = "select anomaly_id from stream.anomalies where device_id like :mine"
            return [row[0] for row in connection.run(query, mine=f"{self.name}%")]
        finally:
            connection.close()

    def in_influx(self, measurement, field):
        query = (
            f'from(bucket: "{self.name}") |> range(start: -10d, stop: 1d)'
            f' |> filter(fn: (r) => r._measurement == "{measurement}" and r._field == "{field}")'
        )
        with self.influx() as client:
            return [record.get_value() for table in client.query_api().query(query) for record in table.records]

    def in_dead_letter_topic(self):
        """Every message there, from the beginning to what is now its end."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.settings.kafka_bootstrap_servers,
                "group.id": uuid.uuid4().hex,
                "fetch.message.max.bytes": 16_000_000,
            }
        )
        try:
            partitions = [TopicPartition(self.topics.dead_letter, number, 0) for number in range(2)]
            expected = sum(consumer.get_watermark_offsets(one, timeout=20)[1] for one in partitions)
            consumer.assign(partitions)
            found = []
            while len(found) < expected:
                batch = consumer.consume(expected - len(found), timeout=20)
                assert batch, "the broker holds messages that it does not hand out"
                found += batch
            return found
        finally:
            consumer.close()

    def queries(self):
        with suppress(OSError, ValueError):
            return json.loads((self.settings.data_dir / "run" / "queries.json").read_text("utf-8"))["queries"]
        return {}

    def ask(self, command, **changes):
        """What `sensorlake status` or `doctor` says to programs."""
        done = subprocess.run(
            [*COMMAND, command, "--json"],
            env=self.environment(**changes),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return json.loads(done.stdout)

    def wait_for(self, what, stream, probe):
        """Until `probe` is true, while the stream lives."""
        deadline, last = time.monotonic() + PATIENCE, None
        while time.monotonic() < deadline:
            assert stream is None or stream.poll() is None, f"the stream ended: {self.log_end()}"
            try:
                if probe():
                    return
            except (deltalake.exceptions.DeltaError, pg8000.DatabaseError) as error:
                last = error  # a table that is not there yet
            time.sleep(0.3)
        pytest.fail(f"waited {PATIENCE:.0f} s for {what} ({last}); queries: {self.queries()}\n{self.log_end()}")

    def everything_arrived(self):
        return (
            len(self.in_lake("readings", "reading_id")) >= len(self.readings)
            and len(self.in_lake("dead_letters", "source_offset")) >= len(self.bad)
            and len(self.in_lake("anomalies", "anomaly_id")) >= len(self.anomalies)
            and len(self.in_postgres()) >= len(self.anomalies)
            and len(self.in_influx("sensor_anomalies", "anomaly_id")) >= len(self.anomalies)
        )

    def start(self, *arguments, **changes):
        log = (self.settings.data_dir / "stream.log").open("ab")
        with log:
            return subprocess.Popen(
                [*COMMAND, "stream", *arguments], env=self.environment(**changes), stdout=log, stderr=log
            )

    def log_end(self):
        text = (self.settings.data_dir / "stream.log").read_text("utf-8", errors="replace")
        return "\n".join(text.splitlines()[-25:])

    def run(self, *arguments, **changes):
        return subprocess.run(
            [*COMMAND, "stream", *arguments],
            env=self.environment(**changes),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )


def assert_nothing_lost_or_doubled(deployment):
    assert Counter(deployment.in_lake("readings", "reading_id")) == Counter(deployment.readings)
    assert Counter(deployment.in_lake("anomalies", "anomaly_id")) == Counter(deployment.anomalies)
    assert Counter(deployment.in_postgres()) == Counter(deployment.anomalies)
    assert Counter(deployment.in_influx("sensor_anomalies", "anomaly_id")) == Counter(deployment.anomalies)
    columns = ("source_topic", "source_partition", "source_offset", "dq_reason", "payload", "replay_count")
    letters = deployment.table("dead_letters", *columns)
    assert Counter((row["source_partition"], row["source_offset"]) for row in letters) == Counter(list(deployment.bad))
    for row in letters:
        reason, value = deployment.bad[row["source_partition"], row["source_offset"]]
        assert (row["dq_reason"], row["payload"]) == (reason, value)
        assert (row["source_topic"], row["replay_count"]) == (deployment.topics.raw, 0)
    assert deployment.counted() == (len(deployment.readings), len(deployment.bad), deployment.repeated)
