"""The two commands against a real broker: run with SENSORLAKE_KAFKA_BOOTSTRAP_SERVERS pointing at one."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from contracts.topics import Topics
from sensorlake import settings

pytestmark = pytest.mark.integration
COMMAND = [sys.executable, "-c", "from sensorlake.command_line import main; main()"]
WATER = Path(__file__).parents[2] / "edge" / "examples" / "water_quality.csv"


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a deployment with topics of its own."""
    servers = settings.load().kafka_bootstrap_servers
    prefix = f"edge-{uuid.uuid4().hex[:12]}."
    admin = AdminClient({"bootstrap.servers": servers})
    topic = Topics(prefix).raw
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(20)
    yield {
        **os.environ,
        "SENSORLAKE_KAFKA_BOOTSTRAP_SERVERS": servers,
        "SENSORLAKE_TOPIC_PREFIX": prefix,
        "SENSORLAKE_DATA_DIR": str(tmp_path / "data"),
    }
    admin.delete_topics([topic])[topic].result(20)


def run(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def summary(output: str) -> dict[str, float]:
    result: dict[str, float] = json.loads(output.splitlines()[-1])
    return result


def received(environment: dict[str, str]) -> list[tuple[int, str, dict[str, object]]]:
    """(partition, key, body) of everything in the raw topic."""
    topic = Topics(environment["SENSORLAKE_TOPIC_PREFIX"]).raw
    consumer = Consumer({"bootstrap.servers": environment["SENSORLAKE_KAFKA_BOOTSTRAP_SERVERS"], "group.id": topic})
    try:
        partitions = [TopicPartition(topic, number, 0) for number in range(2)]
        expected = sum(consumer.get_watermark_offsets(partition, timeout=20)[1] for partition in partitions)
        consumer.assign(partitions)
        found: list[tuple[int, str, dict[str, object]]] = []
        while len(found) < expected:
            batch = consumer.consume(expected - len(found), timeout=20)
            assert batch, "the broker holds messages that it does not hand out"
            for message in batch:
                assert message.error() is None
                key, value = message.key(), message.value()
                assert key is not None
                assert value is not None
                found.append((message.partition() or 0, key.decode(), json.loads(value)))
        return found
    finally:
        consumer.close()


def test_simulate_delivers_every_message_and_a_device_keeps_its_partition(deployment: dict[str, str]) -> None:
    done = run(["simulate", "--sensors", "50", "--rate", "2000", "--seconds", "1", "--seed", "4"], deployment)
    assert done.returncode == 0, done.stderr
    said, found = summary(done.stdout), received(deployment)
    assert (said["sent"], said["acknowledged"], said["failed"]) == (2000, 2000, 0)
    assert len(found) == 2000
    assert len({(key, partition) for partition, key, _ in found}) == 50
    (truth,) = Path(deployment["SENSORLAKE_DATA_DIR"], "truth").glob("*.csv")
    assert len(truth.read_text("utf-8").splitlines()) == 1 + round(50 * 0.05)


def test_an_endless_run_ends_with_a_summary_on_a_signal(deployment: dict[str, str]) -> None:
    with subprocess.Popen(
        [*COMMAND, "simulate", "--sensors", "10"], env=deployment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "until Ctrl-C" in process.stdout.readline()  # from here on the signal is caught
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert summary(output)["failed"] == 0


def test_replay_delivers_every_row_of_the_example(deployment: dict[str, str]) -> None:
    done = run(["replay", str(WATER), "--speed", "1e9", "--device", "well-1"], deployment)
    assert done.returncode == 0, done.stderr
    said, found = summary(done.stdout), received(deployment)
    assert (said["acknowledged"], said["readings"]) == (10_500, 94_500)
    assert {key for _, key, _ in found} == {"well-1"}
    assert len({body["timestamp"] for *_, body in found}) == 10_500
    assert not any("anomaly" in body for *_, body in found)


def test_nothing_is_sent_from_a_file_with_a_fault_at_its_end(deployment: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    path.write_text("timestamp,v\n" + "1577836800,1\n" * 500 + "1577836800,oops\n", "utf-8")
    done = run(["replay", str(path)], deployment)
    assert done.returncode == 2
    assert done.stderr.strip() == f"sensorlake: {path}:502: column 'v': 'oops' is not a number"
    assert received(deployment) == []


def test_a_missing_topic_is_named(deployment: dict[str, str]) -> None:
    done = run(["simulate", "--seconds", "1"], {**deployment, "SENSORLAKE_TOPIC_PREFIX": "nobody-made-this."})
    assert done.returncode == 1
    assert "nobody-made-this.iot.sensor.raw does not exist" in done.stderr
    assert "Traceback" not in done.stderr
