"""The autoencoder is killed again and again while windows come in: each series that turns abnormal is told once, under
the id that it would have had without, and an alarm that lasts is not told again."""

import time
from pathlib import Path

import pytest

from benchmarks.observers.progress import committed
from contracts import identity
from contracts.detectors import LSTM_AUTOENCODER
from lakehouse import creation
from lakehouse.appender import Appender
from lakehouse.lake import Lake
from lakehouse.models.store import ModelStore
from lakehouse.tables import FEATURES
from sensorlake.settings import Settings
from tests import small_autoencoder
from tests.faults.stream import accounts
from tests.faults.stream.accounts import ALERTS, DELTA, POSTGRES, told
from tests.faults.stream.life import kill_job, moments
from tests.integration.stream.deployment import Deployment
from tests.small_autoencoder import FIRST, LENGTH

pytestmark = [pytest.mark.integration, pytest.mark.long]

QUERIES = ("autoencoder", "postgres", "anomalies")
KILLS = 4


def test_alarms_of_the_autoencoder_are_told_once(own_servers: Settings, tmp_path: Path) -> None:
    chance = moments(KILLS, told)
    deployment = Deployment(own_servers, tmp_path)
    devices = tuple(f"{deployment.name}-{number}" for number in range(KILLS + 1))
    lake = Lake.of(deployment.settings)
    creation.ensure(lake, FEATURES)
    small_autoencoder.publish(ModelStore.of(deployment.settings), lake, tmp_path / "draft", threshold=4.0)
    table = Appender(lake, FEATURES, "a test")
    checkpoint, done = deployment.settings.checkpoint_dir / "autoencoder", None

    def start():
        started = deployment.start("--queries", ",".join(QUERIES), autoencoder_trigger_seconds=1.0)
        deployment.wait_for("the queries", started, lambda: deployment.queries().keys() >= set(QUERIES))
        return started

    def add(first: int, last: int, wild: str = "") -> None:
        table.append(small_autoencoder.windows(first, last, devices=devices, wild=wild), last)

    stream = start()
    try:
        # What was there before a first start is not judged: one batch makes it a second one.
        add(0, LENGTH)
        deployment.wait_for("a batch", stream, lambda: committed(checkpoint) is not None)
        for number, device in enumerate(devices, LENGTH):
            done = committed(checkpoint)
            add(number, number + 1, wild=device)
            end = round(FIRST.timestamp() * 1e6) + number * 10_000_000
            deployment.anomalies.add(identity.anomaly_id(device, "t", end, LSTM_AUTOENCODER))
            if device != devices[-1]:
                time.sleep(chance.uniform(0, 4))  # somewhere in the batch
                was_done = committed(checkpoint) != done
                kill_job(stream)
                told(f"kill -9 {'after' if was_done else 'before'} the end of the batch with the alarm")
                (deployment.settings.data_dir / "run" / "queries.json").unlink(missing_ok=True)
                stream = start()
            # A batch that is repeated looks at all windows of its series: newer ones would give the alarm another id.
            deployment.wait_for("the batch", stream, lambda done=done: committed(checkpoint) != done)
        sinks = (ALERTS, POSTGRES, DELTA)
        accounts.settled(deployment, sinks=sinks)
        accounts.require_nothing_lost_or_doubled(deployment, told, sinks)
    finally:
        if stream.poll() is None:
            kill_job(stream)
