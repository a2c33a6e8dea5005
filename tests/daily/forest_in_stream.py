"""The query `detect` on real servers, for as long as it takes until the forest in force rings."""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Consumer, Producer
from pyspark.sql import SparkSession

from contracts.detectors import ISOLATION_FOREST
from sensorlake.settings import Settings
from streaming import topics
from streaming.queries import QUERIES, Context

_DEVICES, _CALM_SECONDS, _WILD_SECONDS = 4, 90, 5
_PATIENCE = 180.0


def first_anomaly(spark: SparkSession, settings: Settings, folder: Path) -> Mapping[str, Any]:
    """The first anomaly of the forest in the anomaly topic. Workers load the forest beside their work, so faults
    are sent until it rings for one."""
    own = settings.model_copy(update={"data_dir": folder, "topic_prefix": f"forest-{uuid.uuid4().hex[:8]}."})
    made = topics.ensure(own)
    servers = {"bootstrap.servers": own.kafka_bootstrap_servers}
    producer, consumer = Producer(servers), Consumer(servers | {"group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe([made.anomaly])
    with Context.opened(spark, own, made) as context:
        context.forest.refresh()
        query = QUERIES["detect"](context)
        try:
            sent, deadline = _messages(), time.monotonic() + _PATIENCE
            while time.monotonic() < deadline:
                assert query.exception() is None
                for key, payload in next(sent):
                    producer.produce(made.raw, payload, key)
                assert producer.flush(30) == 0
                for message in consumer.consume(500, 0.3):
                    anomaly: dict[str, Any] = json.loads(message.value())
                    if anomaly["detector"] == ISOLATION_FOREST:
                        return anomaly
            raise AssertionError("the forest did not ring")
        finally:
            query.stop()
            consumer.close()


def _messages() -> Iterator[list[tuple[str, bytes]]]:
    """Again and again a calm minute and a half of some devices and then seconds of fifty times the noise: the devices
    would get used to noise that goes on, and may have done so before the forest is loaded."""
    random, start = np.random.default_rng(0), datetime.now(UTC) - timedelta(days=1)

    def reading(device: int, second: int, noise: float) -> tuple[str, bytes]:
        at = (start + timedelta(seconds=second)).isoformat()
        value = 20 + noise * random.normal()
        body = {"device_id": f"d{device}", "sensor_id": f"s{device}", "timestamp": at, "metric": "t", "value": value}
        return f"d{device}", json.dumps(body).encode()

    period = _CALM_SECONDS + _WILD_SECONDS
    for begin in range(0, 80_000, period):
        noises = enumerate([1.0] * _CALM_SECONDS + [50.0] * _WILD_SECONDS, begin)
        yield [reading(device, second, noise) for second, noise in noises for device in range(_DEVICES)]
