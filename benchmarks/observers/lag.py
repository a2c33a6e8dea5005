"""How many messages the lake had not taken yet, every second."""

from collections.abc import Callable

from confluent_kafka import Consumer, TopicPartition

from benchmarks.observers.watch import Watch
from edge.pacing import Clock
from sensorlake.settings import Settings

_SECONDS = 10.0


class LagWatch(Watch):
    """`samples`: (microseconds since 1970-01-01 UTC, messages)."""

    name = "lag"
    every = 1.0

    def __init__(self, settings: Settings, topic: str, taken: Callable[[], int], clock: Clock) -> None:
        super().__init__()
        self.samples: list[tuple[int, int]] = []
        self._clock = clock
        self._taken = taken
        self._consumer = Consumer(
            {"bootstrap.servers": settings.kafka_bootstrap_servers, "group.id": "sensorlake-bench-lag"}
        )
        partitions = self._consumer.list_topics(topic, timeout=_SECONDS).topics[topic].partitions
        self._partitions = [TopicPartition(topic, number) for number in partitions]

    def look(self) -> None:
        taken = self._taken()  # before the ends: the other way round a commit in between would make it negative
        ends = [self._consumer.get_watermark_offsets(partition, timeout=_SECONDS)[1] for partition in self._partitions]
        self.samples.append((self._clock.now(), max(0, sum(ends) - taken)))

    def stop(self) -> None:
        super().stop()
        self._consumer.close()
