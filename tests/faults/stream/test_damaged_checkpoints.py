"""Checkpoints are damaged, a topic is made anew, Kafka's retention is faster than the stream: what cannot go on says so
and names the command that repairs it, the others go on, and what is lost is counted."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.faults.stream import accounts
from tests.faults.stream.life import Life
from tests.faults.stream.load import Load, steady
from tests.integration.stream.deployment import COMMAND

pytestmark = [pytest.mark.integration, pytest.mark.long]

RATE = 200


def send(life: Life, seconds: float) -> None:
    with Load(life.deployment, steady(life.deployment), RATE) as load:
        load.last(seconds)
    life.tell(f"{load.sent} messages sent")


def restart(life: Life, query: str) -> dict:
    """The command that repairs; what it says of itself."""
    done = subprocess.run(
        [*COMMAND, "checkpoints", "restart", query],
        env=life.deployment.environment(),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *told, figures = done.stdout.splitlines()
    life.tell("; ".join(told))
    return json.loads(figures)


def newest(folder: Path) -> Path:
    return folder / str(max(int(file.name) for file in folder.iterdir() if file.name.isdigit()))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def refusals(life: Life, *queries: str) -> dict[str, str]:
    """What each of them says, once all of them and no others are refused."""
    life.spawn()

    def said() -> bool:
        found = life.deployment.queries()
        states = {name: found[name]["state"] for name in found}
        return states != {} and all((state == "refused") == (name in queries) for name, state in states.items())

    life.deployment.wait_for("what is refused", life.stream, said)
    found = {name: life.deployment.queries()[name]["last_error"] for name in queries}
    for name, why in found.items():
        life.tell(f"status of {name}: refused, {why}")
        assert f"`sensorlake checkpoints restart {name}`" in why
    return found


def test_damaged_checkpoints_say_so_and_begin_anew_without_loss(life: Life) -> None:
    send(life, 10)
    life.tell(f"all there after {accounts.settled(life.deployment)} s")
    life.kill()
    root = life.deployment.settings.checkpoint_dir
    cut(newest(root / "alerts" / "offsets"))
    shutil.rmtree(root / "lake")
    newest(root / "postgres" / "commits").unlink()
    shutil.rmtree(root / "influxdb" / "commits")
    shutil.rmtree(root / "anomalies" / "offsets")
    cut(root / "metrics" / "metadata")
    life.tell(
        "alerts: newest offsets cut in half; lake: all gone; postgres: last commit gone; influxdb: all commits gone; "
        "anomalies: all offsets gone; metrics: metadata cut in half"
    )
    send(life, 5)
    why = refusals(life, "alerts", "lake", "anomalies", "metrics")
    assert "is damaged: offsets/" in why["alerts"]
    assert "hold readings already" in why["lake"]
    life.kill()
    for query in why:
        assert restart(life, query)["lost_messages"] == 0
    life.ensure_running()
    life.tell(f"all there after {accounts.settled(life.deployment)} s")
    accounts.require_nothing_lost_or_doubled(life.deployment, life.tell)


def test_a_checkpoint_that_has_gone_back_is_not_taken_for_known_batches(life: Life) -> None:
    """An old copy of a checkpoint, or one whose notes are gone: its batches have the numbers of others."""
    root = life.deployment.settings.checkpoint_dir
    send(life, 5)
    accounts.settled(life.deployment)
    life.kill()
    for folder in ("offsets", "commits"):
        shutil.rmtree(root / "lake" / folder)
    send(life, 5)
    life.spawn()
    life.deployment.wait_for(
        "the lake's complaint",
        life.stream,
        lambda: (
            "of this checkpoint, which is at batch" in str(life.deployment.queries().get("lake", {}).get("last_error"))
        ),
    )
    life.tell(f"status of lake: {life.deployment.queries()['lake']['last_error']}")
    life.kill()
    restart(life, "lake")
    life.ensure_running()
    accounts.settled(life.deployment)
    accounts.require_nothing_lost_or_doubled(life.deployment, life.tell)


def test_what_retention_took_before_it_was_read_is_counted(life: Life) -> None:
    deployment = life.deployment
    accounts.settled(deployment)
    life.kill()
    kept = set(deployment.readings), set(deployment.anomalies)
    send(life, 5)
    taken = len(deployment.readings) - len(kept[0])
    admin = AdminClient({"bootstrap.servers": deployment.settings.kafka_bootstrap_servers, "log_level": 0})
    everything = [TopicPartition(deployment.topics.raw, number, -1) for number in range(2)]
    for done in admin.delete_records(everything).values():
        done.result(30)
    deployment.readings, deployment.anomalies = kept
    life.tell(f"the broker deleted the {taken} messages that the stopped stream had not read")
    send(life, 5)
    for why in refusals(life, "alerts", "lake").values():
        assert f"has taken {taken} messages" in why
    life.kill()
    for query in ("alerts", "lake"):
        assert restart(life, query)["lost_messages"] == taken
    life.ensure_running()
    accounts.settled(deployment)
    accounts.require_nothing_lost_or_doubled(deployment, life.tell)


def test_a_topic_that_was_made_anew_is_not_read_from_the_old_offsets(life: Life) -> None:
    deployment = life.deployment
    accounts.settled(deployment)
    life.kill()
    admin = AdminClient({"bootstrap.servers": deployment.settings.kafka_bootstrap_servers, "log_level": 0})
    for done in admin.delete_topics([deployment.topics.raw], operation_timeout=30).values():
        done.result(60)
    deployment.wait_for(
        "the topic to go", None, lambda: deployment.topics.raw not in admin.list_topics(timeout=10).topics
    )
    life.tell(f"{deployment.topics.raw} deleted")
    why = refusals(life, "alerts", "lake")  # the stream makes the topics that are missing
    assert all("topic_id: made for" in each for each in why.values())
    life.kill()
    send(life, 5)
    for query in why:
        assert restart(life, query)["topic_remade"]
    life.ensure_running()
    accounts.settled(deployment)
    accounts.require_nothing_lost_or_doubled(deployment, life.tell)
