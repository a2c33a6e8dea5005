"""When each anomaly arrives at a consumer of the anomaly topic: an end user's moment, the broker's answer included.

Alerts are told from the alarms of the detectors by the detector's name.
"""

from collections.abc import Callable
from datetime import datetime

import orjson
from confluent_kafka import Consumer, KafkaException, TopicPartition

from benchmarks.observers.watch import Watch
from contracts.detectors import is_learned, learned
from detection.detectors.missing import Missing
from edge.pacing import Clock
from sensorlake.settings import Settings

_POLL_SECONDS = 0.2
# An alarm of silence is about a reading that did not come: no latency counts from it.
_SILENCE = learned(Missing.name)
_ANSWER_SECONDS = 10.0


class AlertWatch(Watch):
    """`seen`: microseconds of the first arrival by anomaly id; `ids`: every arrival, repeats included. `alarms`: the
    same as `seen` for the detectors' alarms that are not wanted. `due`: the time of the reading of each of both.

    Args:
        wanted: whether a detector's anomalies count; those of the alerts lane, unless given.
    """

    name = "alerts"
    every = 0.0

    def __init__(
        self,
        settings: Settings,
        topic: str,
        clock: Clock,
        wanted: Callable[[str], bool] = lambda detector: not is_learned(detector),
    ) -> None:
        super().__init__()
        self._wanted = wanted
        self.seen: dict[str, int] = {}
        self.ids: list[str] = []
        self.alarms: dict[str, int] = {}
        self.due: dict[str, int] = {}
        self._clock = clock
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.kafka_bootstrap_servers,
                "client.id": "sensorlake-bench",
                "group.id": "sensorlake-bench",
                "enable.auto.commit": False,
                # The broker answers as soon as it has one byte; this is only how long it may keep an empty answer.
                "fetch.min.bytes": 1,
                "fetch.wait.max.ms": 100,
            }
        )
        partitions = self._consumer.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, number, 0) for number in partitions])

    def look(self) -> None:
        message = self._consumer.poll(_POLL_SECONDS)
        if message is None:
            return
        now = self._clock.now()
        if (error := message.error()) is not None:
            raise KafkaException(error)
        anomaly = orjson.loads(message.value() or b"{}")
        name, detector = str(anomaly["anomaly_id"]), str(anomaly["detector"])
        if self._wanted(detector):
            self.ids.append(name)
            self.seen.setdefault(name, now)
        elif detector != _SILENCE:
            self.alarms.setdefault(name, now)
        else:
            return
        self.due[name] = round(datetime.fromisoformat(anomaly["event_time"]).timestamp() * 1e6)

    def stop(self) -> None:
        super().stop()
        self._consumer.close()
