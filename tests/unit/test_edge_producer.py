"""What the user is told when Kafka is not there or does not answer."""

import socket
from typing import cast

import pytest
from confluent_kafka import Producer

from edge import producer
from edge.pacing import SteadyClock
from edge.producer import Deliveries, Outlet, Summary, publish
from edge.simulator import Simulator
from sensorlake.errors import StackError


def test_a_broker_that_is_down_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "ANSWER_SECONDS", 0.5)
    with socket.socket() as held:  # bound but not listening: every connection is refused
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(StackError) as caught:
            producer.connect(address, "iot.sensor.raw")
    assert address in str(caught.value)
    assert "sensorlake up" in str(caught.value)


def test_unacknowledged_messages_are_an_error() -> None:
    def summary(failed: int) -> Summary:
        return Summary(10, 10 - failed, failed, 12, 0, 1.0, 10.0, 5.0)

    producer.require_delivery(summary(0), Deliveries(), "broker:9092")
    with pytest.raises(StackError, match="3 of 10 messages were not acknowledged by broker:9092: no answer"):
        producer.require_delivery(summary(3), Deliveries(), "broker:9092")


class FullQueue:
    """A client whose broker takes nothing after the first `room` messages."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.polls = 0

    def produce(self, _topic: str, _value: bytes, _key: bytes) -> None:
        if not self.room:
            raise BufferError
        self.room -= 1

    def poll(self, _timeout: float) -> int:
        self.polls += 1
        return 0

    def flush(self, _timeout: float) -> int:
        return 1


def test_a_full_queue_is_waited_for_until_the_run_is_stopped() -> None:
    client = FullQueue(room=3)
    block = Simulator(10, 0, 0, 0, seconds=1).block(0, 10)
    outlet = Outlet(cast("Producer", client), "raw")
    said = publish([block], outlet, SteadyClock(), stop=lambda: client.polls > 5)
    assert (said.sent, said.acknowledged, said.failed) == (3, 2, 1)
    assert client.polls == 6
