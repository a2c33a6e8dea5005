"""Sending to Kafka: no more in memory than the client's queue holds, and every message accounted for."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType

import orjson
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from edge.block import Block
from edge.pacing import Clock
from sensorlake.errors import StackError

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
FLUSH_SECONDS = 30.0
ANSWER_SECONDS = 10.0
QUEUE_WAIT_SECONDS = 0.05


def never() -> bool:
    """The stop of a run that nobody stops."""
    return False


@dataclass(frozen=True)
class Summary:
    """What a run did; `failed` counts everything that the broker did not acknowledge.

    `worst_send_lag_ms` is the longest time from a message's intended time until the client had taken it (a tick of 5 ms
    is part of it); `seconds` runs from the intended time of the first message to the last acknowledgement.
    """

    sent: int
    acknowledged: int
    failed: int
    readings: int
    limit_violations: int
    seconds: float
    rate: float
    worst_send_lag_ms: float

    def json(self) -> str:
        return orjson.dumps(asdict(self)).decode()


@dataclass
class Deliveries:
    """Failed deliveries; the client reports only those, so that the others cost no Python call each."""

    failed: int = 0
    reason: str | None = None

    def report(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self.failed += 1
            self.reason = error.str()


@dataclass(frozen=True)
class Outlet:
    """A connected producer and the topic that it writes."""

    producer: Producer
    topic: str
    deliveries: Deliveries = field(default_factory=Deliveries)

    def send(self, block: Block, stop: Callable[[], bool]) -> int:
        """Hand a block to the client; waits while its queue is full. How many messages it took: all, unless stopped."""
        produce, topic = self.producer.produce, self.topic
        for taken, (key, payload) in enumerate(zip(block.keys, block.payloads, strict=True)):
            while True:
                try:
                    produce(topic, payload, key)
                    break
                except BufferError:
                    self.producer.poll(QUEUE_WAIT_SECONDS)
                    if stop():
                        return taken
        self.producer.poll(0)
        return len(block.payloads)


def connect(servers: str, topic: str, access: Mapping[str, str] = MappingProxyType({})) -> Outlet:
    """An outlet to an existing topic; `access` says how to log in (sensorlake/connections.py).

    Raises:
        StackError: no broker answers at `servers`, or the topic is not there; says what to do.
    """
    deliveries = Deliveries()
    producer = Producer(
        {
            "bootstrap.servers": servers,
            **access,
            "client.id": "sensorlake-edge",
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": 5,
            "batch.num.messages": 10_000,
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "queue.buffering.max.messages": 200_000,
            "queue.buffering.max.kbytes": 262_144,
            "partitioner": "murmur2_random",  # as Java producers do, so that a device keeps its partition whoever sends
            "delivery.timeout.ms": 300_000,
            "delivery.report.only.error": True,
            "on_delivery": deliveries.report,
        },
        logger=_silent_logger(),
    )
    try:
        topics = producer.list_topics(timeout=ANSWER_SECONDS).topics
    except KafkaException as error:
        reason = error.args[0].str()
        raise StackError(
            f"no Kafka broker answers at {servers} ({reason}); start the local one with `sensorlake up`, or set "
            "SENSORLAKE_KAFKA_BOOTSTRAP_SERVERS to the address of yours"
        ) from None
    if topic not in topics:
        raise StackError(
            f"the topic {topic} does not exist at {servers}; `sensorlake up` creates it, and on a broker of your own "
            "create it before (SENSORLAKE_TOPIC_PREFIX is the start of its name)"
        )
    return Outlet(producer, topic, deliveries)


def publish(blocks: Iterable[Block], outlet: Outlet, clock: Clock, stop: Callable[[], bool] = never) -> Summary:
    """Send every block as it comes, wait for the acknowledgements, say what happened.

    `stop` ends the wait for a broker that takes nothing more; the blocks must hear it too.
    """
    sent = readings = violations = lag = 0
    begun: int | None = None
    for block in blocks:
        taken = outlet.send(block, stop)
        begun = int(block.due[0]) if begun is None else begun
        lag = max(lag, clock.now() - int(block.due[0]))
        sent += taken
        readings += block.part(0, taken).readings
        violations += block.violations
    unanswered = outlet.producer.flush(FLUSH_SECONDS)
    seconds = max(0.0, (clock.now() - begun) / 1e6) if begun is not None else 0.0
    failed = outlet.deliveries.failed + unanswered
    return Summary(
        sent=sent,
        acknowledged=sent - failed,
        failed=failed,
        readings=readings,
        limit_violations=violations,
        seconds=round(seconds, 3),
        rate=round(sent / seconds, 1) if seconds else 0.0,
        worst_send_lag_ms=round(lag / 1000, 3),
    )


def require_delivery(summary: Summary, deliveries: Deliveries, servers: str) -> None:
    """
    Raises:
        StackError: a message was not acknowledged.
    """
    if summary.failed:
        reason = deliveries.reason or "no answer from the broker"
        raise StackError(f"{summary.failed} of {summary.sent} messages were not acknowledged by {servers}: {reason}")


def _silent_logger() -> logging.Logger:
    """The client repeats every failed connection on standard error; `connect` and the summary say it once."""
    logger = logging.getLogger("sensorlake.kafka")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger
