"""Listens to what comes out of the stream: anomalies and dead letters, from the moment the tap was opened."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from contracts.detectors import is_learned
from contracts.topics import Topics
from sensorlake import connections
from sensorlake.settings import Settings

_SECONDS = 10.0


@dataclass
class Alerts:
    """Distinct anomalies, each with its latency in ms: from the intended send time of its reading until Kafka had it.
    `versions`: how many were judged by each version of the thresholds; `learned`: those of the detectors, which come
    later than alerts and are none.

    Kafka notes its time in whole milliseconds, cut off, so a latency may be up to 1 ms longer than shown.
    """

    since: float = 0.0
    first_at: float | None = None
    latencies: dict[str, tuple[int, float]] = field(default_factory=dict)
    versions: Counter[int] = field(default_factory=Counter)
    learned: set[str] = field(default_factory=set)

    def take(self, value: bytes, appended_ms: int) -> None:
        """One record of the anomaly topic; an id seen before, as of a repeated reading, changes nothing."""
        anomaly = orjson.loads(value)
        name = anomaly["anomaly_id"]
        if name in self.latencies:
            return
        sent_ms = datetime.fromisoformat(anomaly["event_time"]).timestamp() * 1000
        if sent_ms < self.since * 1000:
            return  # of an earlier run
        self.latencies[name] = (appended_ms, appended_ms - sent_ms)
        if is_learned(anomaly.get("detector") or ""):
            self.learned.add(name)
            return
        self.versions[anomaly.get("threshold_version") or 0] += 1
        if self.first_at is None:
            self.first_at = appended_ms / 1000

    def counting(self) -> list[float]:
        """Latencies of the alerts whose reading was sent after the first one had come out."""
        first_ms = (self.first_at or 0.0) * 1000
        return [
            latency
            for name, (appended, latency) in list(self.latencies.items())
            if appended - latency > first_ms and name not in self.learned
        ]


class KafkaTap:
    """Reads both topics in a thread until it is closed."""

    def __init__(self, settings: Settings) -> None:
        topics = Topics(settings.topic_prefix)
        self.alerts = Alerts()
        self.dead_letters = 0
        self.raw, self._anomaly, self._dead_letter = topics.raw, topics.anomaly, topics.dead_letter
        options = {
            **connections.kafka(settings),
            "group.id": "sensorlake-demo",
            "enable.auto.commit": False,
            "log_level": 0,
            "fetch.wait.max.ms": 100,
        }
        self._consumer = Consumer(options)
        # A question about offsets never returns from a client that another thread reads with.
        self._asking = Consumer(options)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-tap", daemon=True)

    def open(self) -> None:
        """Start to listen at the present ends of the topics."""
        self.alerts.since = time.time()
        ends = self.ends(self._anomaly) | self.ends(self._dead_letter)
        self._consumer.assign([TopicPartition(topic, part, offset) for (topic, part), offset in ends.items()])
        self._thread.start()

    def ends(self, topic: str) -> dict[tuple[str, int], int]:
        """The offset that the next message of each partition will have."""
        parts = self._asking.list_topics(topic, timeout=_SECONDS).topics[topic].partitions
        marks = {
            part: self._asking.get_watermark_offsets(TopicPartition(topic, part), timeout=_SECONDS) for part in parts
        }
        return {(topic, part): high for part, (_, high) in marks.items()}

    def raw_ends(self) -> dict[int, int]:
        """The same of the topic that the readings enter, by partition."""
        return {part: offset for (_, part), offset in self.ends(self.raw).items()}

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_SECONDS)
        self._consumer.close()
        self._asking.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                messages = self._consumer.consume(1000, timeout=0.2)
            except KafkaException:
                continue  # the client connects again by itself
            for message in messages:
                if message.error() is None:
                    self._take(message)

    def _take(self, message: Message) -> None:
        if message.topic() == self._dead_letter:
            self.dead_letters += 1
        elif value := message.value():
            self.alerts.take(value, message.timestamp()[1])
