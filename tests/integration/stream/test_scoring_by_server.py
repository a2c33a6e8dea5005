"""The autoencoder query scores through the stack's own model server: as its own process would, over a change of the
champion and a death of the server."""

import json
import os
import signal
import time
import uuid
from datetime import datetime

import numpy as np
import pytest
from confluent_kafka import Consumer, TopicPartition

from detection.models.lstm_autoencoder import Scorer
from detection.models.sequences import FEATURES as FIGURES
from detection.models.sequences import KIND, normalised
from lakehouse import creation
from lakehouse.appender import Appender
from lakehouse.lake import Lake
from lakehouse.models.store import LSTM_AUTOENCODER, ModelStore
from lakehouse.tables import FEATURES
from sensorlake.settings import PREFIX
from stack import http_probe, supervisor, up
from stack.layout import Layout
from tests import small_autoencoder
from tests.integration.stream.deployment import Deployment
from tests.small_autoencoder import LENGTH

pytestmark = pytest.mark.integration

DEVICES = tuple("abcde")
QUERY = "autoencoder"
TOLERANCE = 1e-4


class Scored(Deployment):
    """A stream of this one query, a model server of the stack, and the windows that both are about."""

    def __init__(self, stack, folder):
        super().__init__(stack, folder)
        models = f"{self.name}-models"
        with self._s3() as client:
            client.create_bucket(Bucket=models)
        self.settings = self.settings.model_copy(
            update={
                "models_bucket": models,
                "model_scoring": "server",
                "autoencoder_trigger_seconds": 0.5,
                "autoencoder_alarm_score": 1.5,
            }
        )
        self.lake, self.store = Lake.of(self.settings), ModelStore.of(self.settings)
        creation.ensure(self.lake, FEATURES)
        self._table, self._next = Appender(self.lake, FEATURES, "a test"), 0
        self.rows = []

    def publish(self, threshold):
        return small_autoencoder.publish(self.store, self.lake, self.settings.data_dir / "draft", threshold=threshold)

    def window(self, wild="", count=1):
        """Append `count` windows of each device; those of `wild` are far off."""
        given = small_autoencoder.windows(self._next, self._next + count, devices=DEVICES, wild=wild)
        self._table.append(given, self._next)
        self._next += count
        self.rows += [row for row in given.to_pylist() if row["window_kind"] == KIND]

    def report(self):
        return self.queries().get(QUERY) or {"batch": None, "failures": 0}

    def alarms(self):
        """What is in the anomaly topic, in order for each device."""
        consumer = Consumer({"bootstrap.servers": self.settings.kafka_bootstrap_servers, "group.id": uuid.uuid4().hex})
        try:
            known = consumer.list_topics(self.topics.anomaly, timeout=20).topics[self.topics.anomaly].partitions
            partitions = [TopicPartition(self.topics.anomaly, number, 0) for number in known]
            ends = [consumer.get_watermark_offsets(each, timeout=20)[1] for each in partitions]
            consumer.assign(partitions)
            found = []
            while len(found) < sum(ends):
                found += consumer.consume(sum(ends) - len(found), timeout=20)
            return [json.loads(message.value()) for message in found]
        finally:
            consumer.close()

    def alarm_of(self, device):
        return next((alarm for alarm in self.alarms() if alarm["device_id"] == device), None)

    def in_process(self, alarm, folder):
        """The error that this process finds in the sequence that the alarm is about."""
        version = int(alarm["model_version"])
        place = self.store.fetch(LSTM_AUTOENCODER, version, folder)
        scorer = Scorer(place / "model.onnx", self.store.manifest(LSTM_AUTOENCODER, version).parameters)
        end = datetime.fromisoformat(alarm["window_end"])
        rows = [row for row in self.rows if row["device_id"] == alarm["device_id"] and row["window_end"] <= end]
        figures = [[row[name] for name in FIGURES] for row in rows[-LENGTH:]]
        return scorer.score(normalised(np.array([figures])))[0]


class Server:
    """The service `model-server` of the session's stack, told which buckets it is about."""

    def __init__(self, scored, stack):
        self._stack, self._layout = stack, Layout.of(stack)
        with pytest.MonkeyPatch.context() as patch:
            for name in ("lake_bucket", "models_bucket"):
                patch.setenv(PREFIX + name.upper(), getattr(scored.settings, name))
            ready = up.bring_up(stack, ["model-server"])
        assert ready.model_server_token.get_secret_value()
        self._url = ready.model_server_url
        found = {"model_server_url": ready.model_server_url, "model_server_token": ready.model_server_token}
        scored.settings = scored.settings.model_copy(update=found)

    def version(self):
        """The version that answers where none is named."""
        return http_probe.request(f"{self._url}/healthz")[1]["models"][LSTM_AUTOENCODER]

    def kill(self):
        """SIGKILL, and the supervisor is told to leave it at that."""
        running = supervisor.processes(self._layout)["model-server"]
        os.kill(running.pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while supervisor.processes(self._layout)["model-server"].state != "STOPPED":
            assert time.monotonic() < deadline
            supervisor.stop(self._layout, "model-server")

    def start(self):
        supervisor.start(self._layout, "model-server")


@pytest.fixture(scope="module")
def scored(stack_settings, tmp_path_factory):
    return Scored(stack_settings, tmp_path_factory.mktemp("scored"))


@pytest.fixture(scope="module")
def server(scored, stack_settings):
    scored.publish(threshold=4.0)
    found = Server(scored, stack_settings)
    try:
        yield found
    finally:
        supervisor.stop(Layout.of(stack_settings), "model-server")


@pytest.fixture(scope="module")
def stream(scored, server):
    scored.window(count=LENGTH)
    running = scored.start("--queries", QUERY)
    try:
        scored.wait_for("the query", running, lambda: scored.report()["batch"] is not None)
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0


def test_it_scores_by_the_server_and_takes_over_a_new_champion_in_the_middle(scored, stream, server):
    scored.window(wild="a")
    scored.wait_for("the first alarm", stream, lambda: scored.alarm_of("a"))
    scored.publish(threshold=5.0)
    scored.window(wild="b")  # while the server may not have the new one yet, as it looks every ten seconds
    scored.wait_for("the next alarm", stream, lambda: scored.alarm_of("b"))
    scored.wait_for("the server's new version", stream, lambda: server.version() == 2)
    scored.window(wild="c")
    scored.wait_for("the alarm by it", stream, lambda: scored.alarm_of("c"))
    assert scored.alarm_of("a")["model_version"] == "1"
    assert scored.alarm_of("b")["model_version"] in ("1", "2")
    assert scored.alarm_of("c")["model_version"] == "2"
    assert scored.report()["failures"] == 0, scored.report()


def test_windows_that_come_while_the_server_is_dead_are_scored_when_it_is_back(scored, stream, server):
    server.kill()
    scored.window(wild="d")
    scored.wait_for("the failure to show", stream, lambda: scored.report()["failures"])
    assert "the model server at" in scored.report()["last_error"]
    assert "does not answer" in scored.report()["last_error"]
    scored.window(wild="e", count=3)
    assert not scored.alarm_of("d")
    server.start()
    scored.wait_for("both alarms", stream, lambda: scored.alarm_of("d") and scored.alarm_of("e"))
    assert scored.report()["state"] == "running"


def test_each_alarm_was_raised_once_with_the_score_of_the_process_itself(scored, stream, tmp_path):
    alarms = scored.alarms()
    assert sorted(alarm["device_id"] for alarm in alarms) == list(DEVICES)
    for alarm in alarms:
        expected = scored.in_process(alarm, tmp_path)
        assert alarm["features"]["error"] == pytest.approx(expected, abs=TOLERANCE)
