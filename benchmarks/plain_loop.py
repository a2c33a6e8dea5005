"""The least that an alert through Kafka can take: a process that reads the raw topic, compares each value with its
limit and writes an alert, one message after the other. No state, no join, no check of the message, no recovery.

What the alerts lane takes is held against it: both run at the same time on the same broker under the same load, so that
a busy machine slows both.
"""

import multiprocessing
import os
import signal
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any

import orjson
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.errors import BenchmarkError
from benchmarks.expected import DETECTOR
from contracts import identity
from edge import limits

_READY_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
_POLL_SECONDS = 0.1
_READY = "ready"


class PlainLoop:
    """The process, from the end of topic `source` on; `stop()` it."""

    def __init__(self, servers: str, source: str, target: str) -> None:
        _ensure(servers, target)
        context = multiprocessing.get_context("spawn")
        self._answers, theirs = context.Pipe()
        self._process = context.Process(
            target=_run, args=(servers, source, target, theirs), name="bench-plain-loop", daemon=True
        )
        self._process.start()
        theirs.close()
        try:
            said = self._answers.recv() if self._answers.poll(_READY_SECONDS) else "no answer in time"
        except EOFError:
            said = "it ended early"
        if said != _READY:
            self.stop()
            raise BenchmarkError(f"the plain loop did not start: {said}")

    def require_well(self) -> None:
        """
        Raises:
            BenchmarkError: the process has ended.
        """
        if not self._process.is_alive():
            said = self._answers.recv() if self._answers.poll() else "it ended"
            raise BenchmarkError(f"the plain loop failed: {said}")

    def stop(self) -> None:
        if self._process.is_alive():
            self._process.terminate()
        self._process.join(5)


def alert(payload: bytes, bounds: dict[str, tuple[float, float]]) -> dict[str, Any] | None:
    """The alert that a message of the simulator makes, in as few words as an observer needs."""
    body = orjson.loads(payload)
    device = body.get("device_id") or body["sensor_id"]
    values = {body["metric"]: body["value"]} if "metric" in body else body
    for metric, value in values.items():
        if metric in bounds and not bounds[metric][0] <= value <= bounds[metric][1]:
            micros = round(datetime.fromisoformat(body["timestamp"]).timestamp() * 1e6)
            return {
                "anomaly_id": identity.anomaly_id(device, metric, micros, DETECTOR),
                "detector": DETECTOR,
                "event_time": body["timestamp"],
            }
    return None


def _run(servers: str, source: str, target: str, answer: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    parent = os.getppid()
    try:
        consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "sensorlake-bench-plain",
                "enable.auto.commit": False,
                "fetch.min.bytes": 1,
            }
        )
        numbers = consumer.list_topics(source, timeout=_ANSWER_SECONDS).topics[source].partitions
        partitions = [TopicPartition(source, number) for number in numbers]
        for each in partitions:
            each.offset = consumer.get_watermark_offsets(each, timeout=_ANSWER_SECONDS)[1]
        consumer.assign(partitions)
        producer = Producer({"bootstrap.servers": servers, "linger.ms": 0})
        bounds = {name: (limit.lower, limit.upper) for name, limit in limits.load().items()}
        answer.send(_READY)
        while os.getppid() == parent:
            if (message := _next(consumer)) is not None and (found := alert(message, bounds)) is not None:
                producer.produce(target, orjson.dumps(found))
            producer.poll(0)
    except Exception as error:
        answer.send(f"{type(error).__name__}: {error}")
        raise


def _next(consumer: Consumer) -> bytes | None:
    message = consumer.poll(_POLL_SECONDS)
    if message is None:
        return None
    if (error := message.error()) is not None:
        raise KafkaException(error)
    return message.value()


def _ensure(servers: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    if topic not in admin.list_topics(timeout=_ANSWER_SECONDS).topics:
        for made in admin.create_topics([NewTopic(topic, 1, 1)], operation_timeout=_ANSWER_SECONDS).values():
            made.result()
