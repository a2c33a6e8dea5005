"""What the stream is sent while something breaks: a small fleet, so many messages a second, each noted once the broker
has it."""

import itertools
import json
import threading
import time
from collections.abc import Iterable, Iterator

from confluent_kafka import Producer

from tests.integration.stream.deployment import Deployment

TICK = 0.05
FLUSH_SECONDS = 300.0


def steady(deployment: Deployment, devices: int = 60, violating: int = 3) -> Iterator[tuple]:
    """Readings of each device in turn, for ever; a few devices send nothing but values beyond their limit."""
    for number in itertools.cycle(range(devices)):
        yield deployment.reading(device=f"{deployment.name}-fleet-{number}", alert=number < violating)


def half_twice(messages: Iterable[tuple]) -> Iterator[tuple]:
    """The same, each message followed by itself again."""
    for message in messages:
        yield message
        yield message


def poisoned(messages: Iterable[tuple], every: int = 100) -> Iterator[tuple]:
    """The same, with one that is no reading every so many."""
    for number, message in enumerate(messages, start=1):
        yield message
        if number % every == 0:
            yield b"poison", b'{"sensor_id": "poison", "value": ' + str(number).encode(), "malformed"


def clock_ahead(messages: Iterable[tuple], deployment: Deployment, every: int = 10) -> Iterator[tuple]:
    """The same, with a device among them whose clock is a day ahead."""
    for number, message in enumerate(messages, start=1):
        yield message
        if number % every == 0:
            key, value, _ = deployment.reading(device=f"{deployment.name}-ahead", age=-86_400.0)
            yield key, value, "future_timestamp"


def late(deployment: Deployment, how_many: int, devices: int = 200) -> Iterator[tuple]:
    """Readings that are up to six days late, the ages spread evenly: what devices send that were long offline."""
    for number in range(how_many):
        age = 3600.0 + number * (6 * 86_400.0 / how_many)
        yield deployment.reading(device=f"{deployment.name}-offline-{number % devices}", age=age)


def malformed_json() -> bytes:
    return json.dumps({"sensor_id": 7}).encode()


class Load:
    """Sends in a thread of its own within its block; at the end of the block the broker has confirmed every message.

    `rate` (messages a second) may be changed meanwhile. A broker that is away for minutes is waited for.
    """

    def __init__(self, deployment: Deployment, messages: Iterable[tuple], rate: float) -> None:
        self.rate = rate
        self.sent = 0
        self._deployment, self._messages = deployment, iter(messages)
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._send, name="faults-load", daemon=True)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(FLUSH_SECONDS + 60)
        assert not self._thread.is_alive(), "the load does not end"
        self.require_well()

    def last(self, seconds: float) -> None:
        """Go on sending for so long."""
        self._stop.wait(seconds)
        self.require_well()

    def require_well(self) -> None:
        if self._error is not None:
            raise self._error

    def _send(self) -> None:
        settings = self._deployment.settings
        producer = Producer(
            {
                "bootstrap.servers": settings.kafka_bootstrap_servers,
                "enable.idempotence": True,  # as the senders of edge/: what is repeated is for the tests to decide
                "linger.ms": 20,
                "delivery.timeout.ms": round(FLUSH_SECONDS * 1000),
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,
            }
        )
        try:
            owed, before = 0.0, time.monotonic()
            while not self._stop.is_set():
                now = time.monotonic()
                owed, before = owed + (now - before) * self.rate, now
                for key, value, becomes in itertools.islice(self._messages, int(owed)):
                    producer.produce(
                        self._deployment.topics.raw, value, key, on_delivery=self._deployment._delivered(value, becomes)
                    )
                    self.sent += 1
                owed -= int(owed)
                producer.poll(0)
                self._stop.wait(TICK)
            assert producer.flush(FLUSH_SECONDS) == 0, "the broker did not take every message"
        except Exception as error:  # told in the test's own thread
            self._error = error
