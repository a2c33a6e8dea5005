"""Kafka takes five seconds for what the alerts write to it, or takes it and loses the reply: no alert is lost, and what
does not wait for anomalies goes on.

Clients go to the address that the broker names, so it has a second one here, which is the forwarder's."""

import re
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from sensorlake.settings import Settings
from stack.layout import Layout
from tests.faults.forwarder import Forwarder
from tests.faults.stream import accounts
from tests.faults.stream.life import Life, down
from tests.faults.stream.load import Load, steady
from tests.free_port import free_port
from tests.integration.stream.deployment import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.long]

RATE = 200
AN_ALERT = b'"anomaly_id"'
NEED_NO_ANOMALY = (accounts.READINGS, accounts.POINTS, accounts.LETTERS)


@pytest.fixture(scope="module")
def way(own_servers: Settings) -> Iterator[Forwarder]:
    """The only way by which clients come that ask at its port."""
    port = free_port()
    made = Forwarder(port)
    with down(own_servers, "kafka"):
        add_listener(own_servers, port, made.port)
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{made.port}", "log_level": 0})
    deadline = time.monotonic() + 60
    while not names_itself(admin, made.port):
        assert time.monotonic() < deadline, "the broker did not come back with a second address"
        time.sleep(0.2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def one_life(own_servers: Settings, way: Forwarder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """In place of the other tests' stream: its way to Kafka leads over the forwarder, too."""
    with Life(Deployment(own_servers, tmp_path_factory.mktemp("difficult-kafka")), way) as made:
        yield made


def test_a_broker_that_takes_five_seconds_an_alert_makes_alerts_late_and_nothing_else(
    life: Life, way: Forwarder
) -> None:
    with Load(life.deployment, steady(life.deployment), RATE) as load:
        load.last(5)
        way.slow = (AN_ALERT, 5.0)
        life.tell("Kafka takes 5 s for each request that holds an alert")
        try:
            load.last(15)
            others = {sink: accounts.expected(life.deployment, sink) for sink in NEED_NO_ANOMALY}
            life.tell(f"readings were there {accounts.wait_until_there(life.deployment, others)} s later")
            due = accounts.expected(life.deployment, accounts.ALERTS)
            load.last(2)
            late = due - set(accounts.of_topic(life.deployment))
            life.tell(f"{len(late)} alerts had not come 2 s after their readings")
            assert late, "the broker was not slow"
        finally:
            way.slow = None
    balanced(life)


def test_a_reply_that_is_lost_after_the_alert_was_taken_loses_and_doubles_nothing(life: Life, way: Forwarder) -> None:
    with Load(life.deployment, steady(life.deployment), RATE) as load:
        load.last(3)
        for _ in range(5):
            way.lost.clear()
            way.lose = AN_ALERT
            life.deployment.wait_for("a reply to be lost", life.stream, way.lost.is_set)
            load.last(3)
    life.tell(f"five replies were lost; failures so far: {life.failures()}")
    balanced(life)


def balanced(life: Life) -> None:
    life.tell(f"all there {accounts.settled(life.deployment)} s after the last message")
    accounts.require_nothing_lost_or_doubled(life.deployment, life.tell)


def add_listener(settings: Settings, port: int, advertised: int) -> None:
    """Let the broker listen at `port` too, and tell who asks there to come to `advertised`."""
    file = Layout.of(settings).root / "kafka" / "server.properties"
    text = file.read_text("utf-8")
    for name, more in {
        "listeners": f"BY_WAY://127.0.0.1:{port}",
        "advertised.listeners": f"BY_WAY://127.0.0.1:{advertised}",
        "listener.security.protocol.map": "BY_WAY:PLAINTEXT",
    }.items():
        text, found = re.subn(rf"^({re.escape(name)}=.*)$", rf"\1,{more}", text, flags=re.MULTILINE)
        assert found == 1, name
    file.write_text(text, "utf-8")


def names_itself(admin: AdminClient, port: int) -> bool:
    try:
        return {broker.port for broker in admin.list_topics(timeout=3).brokers.values()} == {port}
    except KafkaException:
        return False
