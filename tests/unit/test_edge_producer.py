"""What the user is told when Kafka is not there or does not answer."""

import socket

import pytest

from edge import producer
from edge.producer import Deliveries, Summary
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
