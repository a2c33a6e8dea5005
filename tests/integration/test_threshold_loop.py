"""The loop from end to end on real servers, stream and Dagster: a device changes its level, raises false alarms, is
learned anew without anybody asking, is quiet, and alarms again after a rollback."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from contracts.topics import Topics
from lakehouse import registry, thresholds
from lakehouse.lake import Lake
from sensorlake import settings as settings_module
from sensorlake.errors import SensorlakeError
from sensorlake.settings import PREFIX, Settings
from stack import leftovers, supervisor
from stack.up import bring_down, bring_up
from streaming import topics

pytestmark = pytest.mark.integration

DEVICES = [f"pump-{number:02}" for number in range(20)]
SHIFTED = DEVICES[0]
BEFORE, AFTER = 20.0, 40.0
STEP = timedelta(seconds=10)
LOOP = {
    "QUERIES": "alerts,lake,anomalies",
    "ALERTS_BATCH_SECONDS": "5",
    "LAKE_TRIGGER_SECONDS": "3",
    "LATENESS_SECONDS": "1",
    "SHIFT_MINUTES": "6",
    "DRIFT_MINUTES": "10",
    "RETRY_MINUTES": "0.1",
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Kafka, MinIO, PostgreSQL, the stream and Dagster, in a folder of their own."""
    folder = tmp_path_factory.mktemp("loop") / "data"
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(variable)
        for name, value in LOOP.items():
            patch.setenv(PREFIX + name, value)
        patch.setenv(PREFIX + "DATA_DIR", str(folder))
        own = settings_module.load()

        def furnish(ready: Settings) -> None:
            topics.ensure(ready)
            registry.migrate(ready)
            supervisor.start_program(ready, "stream")

        try:
            yield bring_up(own, ["kafka", "minio", "postgres", "dagster"], furnish=furnish)
        finally:
            bring_down(own)
            assert leftovers.find(own.data_dir) == []


class Fleet:
    """Twenty devices that measure every ten seconds, in order of time: what comes late closes no window."""

    def __init__(self, settings: Settings, begin: datetime) -> None:
        self.now = begin
        self._place = 0
        self._producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers})

    def send(self, until: datetime, level: dict[str, float]) -> None:
        """Send what the devices measure until then, all at once; `level` is that of some of them."""
        while self.now < until:
            for number, device in enumerate(DEVICES):
                # A saw tooth: values vary, and none is far from the level.
                value = level.get(device, BEFORE) + (self._place * 7 + number * 3) % 11 * 0.1 - 0.5
                body = {"device_id": device, "timestamp": self.now.isoformat(), "temperature": value}
                self._producer.produce(Topics("").raw, json.dumps(body).encode(), device.encode())
            self._producer.poll(0)
            self.now, self._place = self.now + STEP, self._place + 1
        assert self._producer.flush(30) == 0

    def step(self, level: dict[str, float]) -> None:
        """One reading of each device."""
        self.send(self.now + STEP, level)


class Alerts:
    """The anomalies of the topic, read from its begin."""

    def __init__(self, settings: Settings) -> None:
        self.seen: dict[str, tuple[str, int]] = {}
        self._consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap_servers, "group.id": "loop-test"})
        parts = range(settings.kafka_partitions)
        self._consumer.assign([TopicPartition(Topics("").anomaly, part, 0) for part in parts])

    def of(self, version: int) -> set[str]:
        """The devices that alarmed by this version of the thresholds."""
        while messages := self._consumer.consume(500, timeout=0.5):
            for message in messages:
                found = json.loads(message.value())
                self.seen[found["anomaly_id"]] = (found["device_id"], found["threshold_version"])
        return {device for device, by in self.seen.values() if by == version}

    def close(self) -> None:
        self._consumer.close()


def until(true: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds} s: {what}")


def live(settings: Settings) -> int:
    try:
        return thresholds.versions(Lake.of(settings))[0].version
    except SensorlakeError:
        return 0


def test_a_new_level_is_learned_and_a_rollback_brings_its_alarms_back(installation: Settings) -> None:
    settings, lake = installation, Lake.of(installation)
    alerts = Alerts(settings)
    try:
        until(lambda: live(settings) == 1, 120, "the stream publishes the first version")
        fleet = Fleet(settings, datetime.now(UTC) - timedelta(hours=3))
        fleet.send(datetime.now(UTC) - timedelta(minutes=15), {})
        until(lambda: live(settings) == 2, 180, "the sensor asks for a refresh, which publishes version 2")
        first = thresholds.find(lake, 2)
        assert (first.kind, first.learned) == ("refresh", len(DEVICES))
        assert first.why.startswith("first: ")

        shift = {SHIFTED: AFTER}

        def alarms(version: int) -> bool:
            fleet.step(shift)
            return SHIFTED in alerts.of(version)

        until(lambda: alarms(2), 60, "the stream judges by version 2, and the new level alarms")
        assert alerts.of(2) == {SHIFTED}, "what was learned fits the others"
        fleet.send(datetime.now(UTC), shift)
        until(lambda: live(settings) == 3, 240, "the alarms make the sensor refresh")
        second = thresholds.find(lake, 3)
        assert second.why.startswith("alarms: ")
        (row,) = [row for row in thresholds.rows_of(lake, second).to_pylist() if row["device_id"] == SHIFTED]
        assert row["mean"] == pytest.approx(AFTER, abs=1)

        def quiet() -> bool:
            """Do readings at the new level pass, once version 3 is in force?"""
            alerts.of(3)
            before = len(alerts.seen)
            fleet.step(shift)
            alerts.of(3)
            return len(alerts.seen) == before

        until(quiet, 60, "the alarms stop")
        assert alerts.of(3) == set()

        program = str(Path(sys.executable).with_name("sensorlake"))
        done = subprocess.run(
            [program, "thresholds", "rollback", "2", "--why", "a test", "--by", "tester"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert live(settings) == 4
        until(lambda: alarms(4), 60, "the alarms return by version 4")
        assert alerts.of(4) == {SHIFTED}
        assert live(settings) == 4, "a rollback holds refreshes"
    finally:
        alerts.close()
