"""Messages to Kafka with the broker's word for each of them."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from sensorlake.errors import DeadLetterError

_MESSAGE_BYTES = 16 * 1024 * 1024
_ANSWER_SECONDS = 10.0
_DELIVERY_SECONDS = 60


@dataclass(frozen=True)
class Outgoing:
    """A message to send; a value or key of None is sent as none."""

    value: bytes | None
    key: bytes | None
    replay_count: int


class KafkaOutlet:
    """An idempotent producer for one topic; what is not confirmed in a minute has failed."""

    def __init__(self, servers: str, topic: str, access: Mapping[str, str] = MappingProxyType({})) -> None:
        """`access` says how to log in (sensorlake/connections.py).

        Raises:
            DeadLetterError: no broker answers, or it has no such topic.
        """
        self._topic = topic
        self._servers = servers
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                **access,
                "client.id": "sensorlake-replay",
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.max.bytes": _MESSAGE_BYTES,
                "partitioner": "murmur2_random",  # as Java producers do, so that a device keeps its partition
                "delivery.timeout.ms": _DELIVERY_SECONDS * 1000,
            },
            logger=_silent_logger(),
        )
        try:
            topics = self._producer.list_topics(timeout=_ANSWER_SECONDS).topics
        except KafkaException as error:
            raise DeadLetterError(
                f"no Kafka broker answers at {servers} ({error.args[0].str()}); start the local one with "
                "`sensorlake up`, or set SENSORLAKE_KAFKA_BOOTSTRAP_SERVERS"
            ) from None
        if topic not in topics:
            raise DeadLetterError(f"the topic {topic} does not exist at {servers}: `sensorlake up` creates it")

    def send(self, messages: Sequence[Outgoing]) -> list[str | None]:
        """Send all and wait for the broker's word: one entry a message, None where it has it, else the reason."""
        reasons: list[str | None] = ["no answer from the broker"] * len(messages)

        def note(place: int) -> Callable[[KafkaError | None, Message], None]:
            def noted(error: KafkaError | None, _message: Message) -> None:
                reasons[place] = None if error is None else error.str()

            return noted

        for place, message in enumerate(messages):
            try:
                self._hand_over(message, note(place))
            except KafkaException as error:
                reasons[place] = error.args[0].str()
        self._producer.flush(_DELIVERY_SECONDS + _ANSWER_SECONDS)
        return reasons

    def _hand_over(self, message: Outgoing, noted: Callable[[KafkaError | None, Message], None]) -> None:
        headers: list[tuple[str, str | bytes | None]] = [("replay_count", str(message.replay_count))]
        while True:
            try:
                self._producer.produce(self._topic, message.value, message.key, headers=headers, on_delivery=noted)
                return
            except BufferError:
                self._producer.poll(0.05)


def _silent_logger() -> logging.Logger:
    """The client repeats every failed connection on standard error; the error that is raised says it once."""
    logger = logging.getLogger("sensorlake.kafka")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger
