"""The real stream on real servers, sent everything that goes wrong: it never stops, loses nothing and doubles nothing.

One deployment of its own (topics, bucket, checkpoints) for the whole module; the tests follow one another on it, as its
life would: a first run, a death without warning, a run without InfluxDB, an orderly end.
"""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace

import boto3
import deltalake
import pg8000.native
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from influxdb_client import InfluxDBClient

from contracts import identity
from contracts.topics import Topics
from sensorlake.settings import PREFIX

pytestmark = pytest.mark.integration
COMMAND = [sys.executable, "-c", "from sensorlake.command_line import main; main()"]
FASTER = {
    "alerts_batch_seconds": 5,
    "lake_trigger_seconds": 2,
    "metrics_trigger_seconds": 2,
    "spark_driver_memory": "1g",
}
PATIENCE = 240.0


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
            {"bootstrap.servers": self.settings.kafka_bootstrap_servers, "message.max.bytes": 16_000_000}
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
        found = self.settings
        connection = pg8000.native.Connection(
            found.postgres_user,
            password=found.postgres_password.get_secret_value(),
            host=found.postgres_host,
            port=found.postgres_port,
            database=found.postgres_database,
        )
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


def bad_inputs(name):
    """(what it is, key, value, reason) of everything that is no reading."""
    now = datetime.now(UTC)
    good = {"sensor_id": f"{name}-bad", "timestamp": now.isoformat(), "metric": "temperature", "value": 20.5}
    written = json.dumps(good).encode()

    def with_time(change):
        return json.dumps(good | {"timestamp": change}).encode()

    key = b"bad"
    return [
        ("broken UTF-8", key, written.replace(b"temperature", b"temp\xff\xfe"), "malformed"),
        ("random bytes", key, bytes(range(255, 0, -1)), "malformed"),
        ("truncated JSON", key, written[:-7], "malformed"),
        ("two objects", key, written + written, "malformed"),
        ("deep nesting", key, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "malformed"),
        ("deep nesting beside a reading", key, written[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}", "malformed"),
        ("an empty value", key, b"", "malformed"),
        ("no value", key, None, "malformed"),
        ("a null key and no JSON", None, b"hello", "malformed"),
        ("5 MB of JSON", key, json.dumps(good | {"blob": "x" * 5_000_000}).encode(), "oversize"),
        ("5 MB of anything", None, os.urandom(5_000_000), "oversize"),
        ("an id of 5000 characters", key, json.dumps(good | {"sensor_id": "泵" * 5000}).encode(), "oversize"),
        ("an array", key, b"[" + written + b"]", "malformed"),
        ("wrong type of id", key, json.dumps(good | {"sensor_id": 7}).encode(), "wrong_type:sensor_id"),
        ("wrong type of value", key, json.dumps(good | {"value": {"v": 1}}).encode(), "wrong_type:value"),
        ("a text for a number", key, json.dumps(good | {"value": "20.5"}).encode(), "wrong_type:value"),
        ("no fields", key, b"{}", "missing_field:device_id"),
        (
            "no value field",
            key,
            json.dumps({k: v for k, v in good.items() if k != "value"}).encode(),
            "missing_field:value",
        ),
        ("NaN", key, written.replace(b"20.5", b"NaN"), "non_finite_value"),
        ("Infinity", key, written.replace(b"20.5", b"-Infinity"), "non_finite_value"),
        ("1e999", key, written.replace(b"20.5", b"1e999"), "non_finite_value"),
        (
            "no timestamp",
            key,
            json.dumps({k: v for k, v in good.items() if k != "timestamp"}).encode(),
            "missing_field:timestamp",
        ),
        ("an impossible timestamp", key, with_time("2026-02-30T12:00:00Z"), "bad_timestamp"),
        ("a timestamp of nonsense", key, with_time("now"), "bad_timestamp"),
        ("a timestamp beyond all dates", key, with_time(1e300), "bad_timestamp"),
        ("a device a day ahead", key, with_time((now + timedelta(days=1)).isoformat()), "future_timestamp"),
        ("older than a week", key, with_time((now - timedelta(days=7, minutes=1)).isoformat()), "too_old"),
        ("from 1970", key, with_time(0), "too_old"),
    ]


@pytest.fixture(scope="module")
def deployment(stack_settings, tmp_path_factory):
    return Deployment(stack_settings, tmp_path_factory.mktemp("deployment"))


@pytest.fixture(scope="module")
def life(deployment):
    """The stream that runs now; whatever a test leaves behind is ended with the module."""
    current = SimpleNamespace(stream=None)
    yield current
    if current.stream is not None and current.stream.poll() is None:
        current.stream.kill()
        current.stream.wait(30)


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


def test_bad_input_ends_as_dead_letters_and_good_input_is_not_touched(deployment, life):
    life.stream = deployment.start()
    deployment.wait_for("all queries", life.stream, lambda: len(deployment.queries()) == 6)
    now = round(datetime.now(UTC).timestamp() * 1e6)
    device = f"{deployment.name}-many"
    many = {"device_id": device, "timestamp": now, "temperature": 300, "pressure": 1000, "battery": 50, "signal": None}
    of_many = [
        deployment.ids(device, metric, now, metric == "temperature")
        for metric in ("temperature", "pressure", "battery")
    ]
    twice = deployment.good(3) + deployment.good(2, alert=True)
    without_key = deployment.reading()
    good = [
        *deployment.good(20),
        *deployment.good(5, alert=True),
        *twice,
        deployment.reading(metric="never heard of", device=f"{deployment.name}-new, a=b \\"),
        deployment.reading(metric="huge", value=1.7e308, device=f"{deployment.name}-huge", age=2),
        deployment.reading(metric="huge", value=-1.7e308, device=f"{deployment.name}-huge", age=1),
        deployment.reading(age=7 * 86_400 - 600),
        deployment.reading(age=86_400, alert=True),
        deployment.reading(age=-200),
        (None, *without_key[1:]),
        (device.encode(), json.dumps(many).encode(), of_many),
        *twice,
        twice[0],
    ]
    bad = [(key, value, reason) for _, key, value, reason in bad_inputs(deployment.name)]
    deployment.send(bad[::2] + good + bad[1::2])
    deployment.wait_for("everything to arrive", life.stream, deployment.everything_arrived)
    deployment.wait_for(
        "the dead-letter topic", life.stream, lambda: len(deployment.in_dead_letter_topic()) >= len(bad)
    )
    assert deployment.repeated == 6
    assert_nothing_lost_or_doubled(deployment)
    found = {name: (query["state"], query["failures"]) for name, query in deployment.queries().items()}
    assert found == dict.fromkeys(found, ("running", 0))
    deployment.wait_for("no lag", life.stream, lambda: deployment.queries()["lake"]["lag"] == 0)


def test_each_dead_letter_is_in_the_topic_once_with_its_bytes_and_headers(deployment, life):
    places = Counter()
    for message in deployment.in_dead_letter_topic():
        headers = {name: value.decode() for name, value in message.headers()}
        place = int(headers["source_partition"]), int(headers["source_offset"])
        places[place] += 1
        assert (headers["dq_reason"], message.value()) == deployment.bad[place]
        assert (headers["source_topic"], headers["replay_count"]) == (deployment.topics.raw, "0")
    assert places == Counter(list(deployment.bad))


def test_readings_arrive_in_influxdb(deployment, life):
    # One point a device, metric and time: as many as there are readings, the largest and strangest among them.
    def arrived():
        return len(deployment.in_influx("sensor_metrics", "value")) == len(deployment.readings)

    deployment.wait_for("readings in InfluxDB", life.stream, arrived)


def test_a_second_stream_on_the_same_checkpoints_is_refused_at_once(deployment, life):
    began = time.monotonic()
    done = deployment.run()
    assert done.returncode == 1
    assert "another `sensorlake stream` runs on the checkpoints" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 30
    assert life.stream.poll() is None


def test_killed_in_the_middle_and_started_without_influxdb_the_others_go_on(deployment, life):
    deployment.send(deployment.good(30, alert=True))
    life.stream.kill()
    life.stream.wait(30)
    (deployment.settings.data_dir / "run" / "queries.json").unlink()
    deployment.send([*deployment.good(10, alert=True), *deployment.good(30), (b"bad", b"after the fall", "malformed")])
    life.stream = deployment.start(influxdb_url="http://127.0.0.1:9")

    def others_have_all():
        return (
            len(deployment.in_lake("readings", "reading_id")) >= len(deployment.readings)
            and len(deployment.in_lake("anomalies", "anomaly_id")) >= len(deployment.anomalies)
            and len(deployment.in_postgres()) >= len(deployment.anomalies)
        )

    deployment.wait_for("the other sinks", life.stream, others_have_all)
    deployment.wait_for(
        "the failures to show",
        life.stream,
        lambda: all(deployment.queries().get(name, {}).get("last_error") for name in ("influxdb", "metrics")),
    )
    found = deployment.queries()
    assert all(found[name]["failures"] == 0 for name in ("alerts", "lake", "postgres", "anomalies")), found
    assert len(deployment.in_influx("sensor_anomalies", "anomaly_id")) < len(deployment.anomalies)
    life.stream.kill()
    life.stream.wait(30)


def test_started_again_it_makes_up_for_everything_and_doubles_nothing(deployment, life):
    deployment.send(deployment.good(5, alert=True))
    life.stream = deployment.start()
    deployment.wait_for("everything to arrive", life.stream, deployment.everything_arrived)
    assert_nothing_lost_or_doubled(deployment)


def test_sigterm_ends_it_in_order_within_twenty_seconds(deployment, life):
    began = time.monotonic()
    life.stream.send_signal(signal.SIGTERM)
    assert life.stream.wait(60) == 0
    assert time.monotonic() - began < 20


def test_a_checkpoint_made_for_another_topic_is_refused(deployment, life):
    done = deployment.run("--queries", "lake", topic_prefix=f"{deployment.name}-other.")
    assert done.returncode == 1, done.stderr
    assert f"made for {deployment.topics.raw}, now {deployment.name}-other.iot.sensor.raw" in done.stderr
    assert "Traceback" not in done.stderr
