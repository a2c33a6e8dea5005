"""Dead letters on real servers: out of the lake, through Kafka, recorded in PostgreSQL. No stream runs here; the tests
put into the table what it would write."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import boto3
import dagster as dg
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, TopicPartition
from deltalake import write_deltalake

from contracts.topics import Topics
from lakehouse import creation, registry
from lakehouse.columns import arrow_schema
from lakehouse.dead_letters import run
from lakehouse.dead_letters.letter import DeadLetter
from lakehouse.dead_letters.replay import Plan
from lakehouse.dead_letters.selection import Selection
from lakehouse.lake import Lake
from lakehouse.registry import replays
from lakehouse.tables import DEAD_LETTERS
from orchestration.defs.dead_letters import jobs
from orchestration.resources.installation import Installation
from sensorlake.errors import DeadLetterError
from sensorlake.settings import PREFIX, Settings
from streaming import topics

pytestmark = pytest.mark.integration
COMMAND = [sys.executable, "-c", "from sensorlake.command_line import main; main()"]
NOW = datetime.now(UTC)


@pytest.fixture
def own(stack_settings: Settings) -> Settings:
    """Topics and a bucket of this test's own, and an empty table of dead letters."""
    name = f"letters-{uuid.uuid4().hex[:8]}"
    found = stack_settings.model_copy(update={"topic_prefix": f"{name}.", "lake_bucket": name})
    client = boto3.client(
        "s3",
        endpoint_url=found.s3_endpoint,
        aws_access_key_id=found.s3_access_key,
        aws_secret_access_key=found.s3_secret_key.get_secret_value(),
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=name)
    client.close()
    registry.migrate(found)
    topics.ensure(found)
    creation.ensure(Lake.of(found), DEAD_LETTERS)
    return found


def letter(own: Settings, offset: int, payload: bytes | None, *, tries: int = 0, reason: str = "malformed", key=b"k"):
    topic = Topics(own.topic_prefix).raw
    return DeadLetter(payload, key, reason, topic, 0, offset, tries, NOW, NOW.date())


def add(own: Settings, *letters: DeadLetter) -> None:
    rows = pa.Table.from_pylist([vars(each) for each in letters], schema=arrow_schema("dead_letter"))
    write_deltalake(Lake.of(own).open(DEAD_LETTERS), rows, mode="append", partition_by=DEAD_LETTERS.partition)


def replayed(own: Settings, reason: str = "malformed", **plan) -> dict:
    return run.replay_selected(own, Lake.of(own), Selection(reason), Plan(**plan), "test").as_dict()


def in_raw_topic(own: Settings) -> list[tuple]:
    """(value, key, headers) of every message there."""
    topic = Topics(own.topic_prefix).raw
    consumer = Consumer({"bootstrap.servers": own.kafka_bootstrap_servers, "group.id": uuid.uuid4().hex})
    try:
        partitions = [TopicPartition(topic, number, 0) for number in range(own.kafka_partitions)]
        expected = sum(consumer.get_watermark_offsets(one, timeout=20)[1] for one in partitions)
        consumer.assign(partitions)
        found: list = []
        while len(found) < expected:
            batch = consumer.consume(expected - len(found), timeout=20)
            assert batch, "the broker holds messages that it does not hand out"
            found += batch
        return [(message.value(), message.key(), message.headers()) for message in found]
    finally:
        consumer.close()


def test_the_bytes_come_back_untouched_once_with_the_count_one_higher(own):
    payloads = [b"\xff\x00\x1b", None, b"", b"x" * 5_000_000, '{"unit": "°C"}'.encode()]
    letters = [letter(own, offset, payload, tries=offset % 3) for offset, payload in enumerate(payloads)]
    add(own, *letters, letter(own, 9, b"other", reason="too_old"), replace(letters[4], key=None, source_offset=5))
    table = Lake.of(own).open(DEAD_LETTERS).version()
    assert replayed(own)["sent"] == 6
    expected = [(each.payload, each.key, [("replay_count", str(each.replay_count + 1).encode())]) for each in letters]
    expected.append((payloads[4], None, [("replay_count", b"2")]))
    assert Counter(map(str, in_raw_topic(own))) == Counter(map(str, expected))
    again = replayed(own)
    assert (again["sent"], again["done_before"]) == (0, 6)
    assert len(in_raw_topic(own)) == 6
    assert Lake.of(own).open(DEAD_LETTERS).version() == table  # the stream's table is not written


def test_a_dry_run_sends_and_records_nothing(own):
    add(own, letter(own, 0, b"{}"), letter(own, 1, b"?"), letter(own, 2, b"?", tries=3))
    for _ in range(2):
        would = replayed(own, dry_run=True)
        assert (would["sent"], would["json_objects"], would["quarantined"]) == (2, 1, 1)
    assert in_raw_topic(own) == []


def test_killed_between_confirmation_and_record_one_batch_is_repeated_at_most(own, monkeypatch):
    add(own, *(letter(own, offset, str(offset).encode()) for offset in range(1300)))
    record = replays.record
    calls = []

    def dies_in_the_second(settings, done, name):
        calls.extend(done)
        if len(calls) > 500:
            raise KeyboardInterrupt
        record(settings, done, name)

    with monkeypatch.context() as patch:
        patch.setattr(replays, "record", dies_in_the_second)
        with pytest.raises(KeyboardInterrupt):
            replayed(own, rate=100_000)
    assert len(in_raw_topic(own)) == 1000
    assert replayed(own, rate=100_000)["sent"] == 800
    values = Counter(value for value, _, _ in in_raw_topic(own))
    assert len(values) == 1300
    assert set(values.values()) == {1, 2}
    assert sum(values.values()) == 1300 + 500


def test_a_message_that_fails_each_time_is_given_up_after_three_tries(own):
    place, tries = 0, 0
    for attempt in range(1, 5):
        add(own, letter(own, place, b"hopeless", tries=tries))
        done = replayed(own)
        if attempt == 4:
            assert (done["sent"], done["quarantined"]) == (0, 1)
            break
        assert done["sent"] == 1
        # What the stream would make of it: a dead letter at the new place, with the count of the header.
        place, tries = place + 1, max(int(headers[0][1]) for _, _, headers in in_raw_topic(own))
    assert [headers[0][1] for _, _, headers in sorted(in_raw_topic(own), key=str)] == [b"1", b"2", b"3"]
    origin = (Topics(own.topic_prefix).raw, 0, place)
    assert replays.recorded(own, [origin]) == {origin: "quarantined"}


def test_two_replays_at_once_are_refused(own):
    add(own, letter(own, 0, b"x"))
    with replays.only_one(own), pytest.raises(DeadLetterError, match="another replay"):
        replayed(own)
    assert in_raw_topic(own) == []
    assert replayed(own)["sent"] == 1


def test_a_broker_that_does_not_answer_is_named_and_nothing_is_recorded(own):
    add(own, letter(own, 0, b"x"))
    with pytest.raises(DeadLetterError, match=r"127\.0\.0\.1:9.*sensorlake up"):
        replayed(own.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"}))
    assert replayed(own)["sent"] == 1


# The commands


def environment(own: Settings) -> dict[str, str]:
    found = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    for field, value in own:
        plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        found[PREFIX + field.upper()] = str(plain)
    return found


def command(own: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "dead-letters", *arguments],
        env=environment(own),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_commands_list_show_correct_and_replay(own):
    add(
        own,
        letter(own, 7, b'{"device_id": "a", "t": "21.5"}', reason="wrong_type:t"),
        letter(own, 8, b"\x1b[2Jhello", key=b"\x1b]0;x\x07"),
    )
    listed = command(own, "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert {(row["reason"], row["count"], row["example"]) for row in json.loads(listed.stdout)} == {
        ("wrong_type:t", 1, "0:7"),
        ("malformed", 1, "0:8"),
    }
    for shown in (command(own, "show", "0:8"), command(own, "show", "--reason", "malformed"), command(own, "list")):
        assert shown.returncode == 0, shown.stderr
        assert "\x1b" not in shown.stdout
        assert r"\x1b]0;x\x07" in shown.stdout
    assert "there is no dead letter 0:99" in command(own, "show", "0:99").stderr
    sent = command(own, "replay", "--reason", "wrong_type", "--patch", '{"t": 21.5}', "--set-timestamp-now")
    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout.splitlines()[-1])["sent"] == 1
    ((value, key, headers),) = in_raw_topic(own)
    assert (key, headers) == (b"k", [("replay_count", b"1")])
    body = json.loads(value)
    assert (body["device_id"], body["t"]) == ("a", 21.5)
    assert abs((datetime.fromisoformat(body["timestamp"]) - datetime.now(UTC)).total_seconds()) < 60
    listed = {row["reason"]: row for row in json.loads(command(own, "list", "--json").stdout)}
    assert (listed["wrong_type:t"]["sent_again"], listed["malformed"]["sent_again"]) == (1, 0)
    refused = command(own, "replay", "--reason", "malformed", "--patch", "[]")
    assert refused.returncode == 2
    assert "no JSON object" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_killed_for_good_half_way_nothing_is_lost(own):
    add(own, *(letter(own, offset, str(offset).encode()) for offset in range(2000)))
    process = subprocess.Popen(
        [*COMMAND, "dead-letters", "replay", "--reason", "malformed", "--rate", "500"],
        env=environment(own),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while len(in_raw_topic(own)) < 500:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    process.stderr.close()
    before = len(in_raw_topic(own))
    assert before < 2000
    deadline = time.monotonic() + 60
    while True:  # the server needs a moment to see that the connection which held the lock is gone
        try:
            replayed(own, rate=100_000)
            break
        except DeadLetterError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    values = Counter(value for value, _, _ in in_raw_topic(own))
    assert len(values) == 2000
    assert sum(values.values()) <= 2000 + 500


def test_the_dagster_job_replays_as_the_command_does(own, monkeypatch):
    for variable, value in environment(own).items():
        monkeypatch.setenv(variable, value)
    add(own, letter(own, 0, b"x"), letter(own, 1, b"y", tries=3))
    chosen = {"reason": "malformed", "dry_run": False}
    with dg.DagsterInstance.ephemeral() as instance:
        done = jobs.replay_dead_letters.execute_in_process(
            instance=instance,
            resources={"installation": Installation()},
            run_config={"ops": {"send_dead_letters_again": {"config": chosen}}},
        )
    assert done.output_for_node("send_dead_letters_again").items() >= {"sent": 1, "quarantined": 1}.items()
    assert [value for value, _, _ in in_raw_topic(own)] == [b"x"]
