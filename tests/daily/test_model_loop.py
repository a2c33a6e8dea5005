"""Models from end to end on real servers: Dagster trains, judges and promotes them as a demo asks it to; the stream
scores by the forest in force; the model server answers with what is in force, goes back with a rollback without losing
a request, and refuses what was tampered with."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from detection.models.lstm_autoencoder import Scorer
from detection.models.remote import RemoteScorer, Server
from lakehouse.models.store import ISOLATION_FOREST, LSTM_AUTOENCODER, ModelStore
from sensorlake.demo import models, plan
from sensorlake.demo.dagster_runs import OneRun
from sensorlake.demo.models import Models
from sensorlake.errors import ModelServerError
from sensorlake.settings import PREFIX, Settings
from stack import supervisor
from stack.up import bring_up
from tests.daily.forest_in_stream import first_anomaly
from tests.daily.models_in_force import champion, served

pytestmark = pytest.mark.integration

SMALL: dict[str, Any] = plan.TRAINING["ops"]
SEQUENCES = np.random.default_rng(0).normal(0, 1, (64, 50, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def own(quiet_dagster: Settings) -> Settings:
    """The model server beside a Dagster that runs nothing by itself."""
    return bring_up(quiet_dagster, ["model-server"])


@pytest.fixture
def store(own: Settings) -> ModelStore:
    return ModelStore.of(own)


def until(true: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}")


def run(settings: Settings, job: str, config: Mapping[str, Any], *assets: str) -> None:
    """A run of the job, or of some of its assets, to its good end."""
    wanted = OneRun(settings.dagster_port, job, f"{job} of {', '.join(assets) or 'everything'}")
    wanted.launch({"ops": config}, "a test", assets)

    def over() -> bool:
        found = wanted.find()
        assert not (found and found.is_over and not found.succeeded), f"{job}: {found}"
        return bool(found and found.succeeded)

    until(over, 400, f"{job} succeeds")


def command(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("sensorlake"))
    variables = os.environ | {PREFIX + "DATA_DIR": str(settings.data_dir)}
    return subprocess.run(
        [program, "models", *arguments], env=variables, capture_output=True, text=True, timeout=120, check=False
    )


def in_process(store: ModelStore, version: int, folder: Path) -> np.ndarray:
    place, manifest = store.fetch(LSTM_AUTOENCODER, version, folder), store.manifest(LSTM_AUTOENCODER, version)
    return Scorer(place / "model.onnx", manifest.parameters).score(SEQUENCES)


class Caller:
    """Asks the server again and again for the champion's scores."""

    def __init__(self, settings: Settings, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self._server = Server(settings.model_server_url, settings.model_server_token.get_secret_value())
        self.answers: list[np.ndarray] = []
        self.failed: list[str] = []

    @contextmanager
    def calling(self) -> Iterator[None]:
        stop = threading.Event()

        def call() -> None:
            scorer = RemoteScorer(self._server, LSTM_AUTOENCODER, self._parameters)
            while not stop.wait(0.02):
                try:
                    self.answers.append(scorer.score(SEQUENCES))
                except Exception as error:  # each one counts
                    self.failed.append(repr(error))
            scorer.close()

        thread = threading.Thread(target=call)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(30)

    def once(self, version: int | None = None) -> np.ndarray:
        scorer = RemoteScorer(self._server, LSTM_AUTOENCODER, self._parameters, version=version)
        try:
            return scorer.score(SEQUENCES)
        finally:
            scorer.close()


def test_models_are_trained_promoted_served_rolled_back_and_refused(
    own: Settings, store: ModelStore, spark: SparkSession, tmp_path: Path
) -> None:
    demo = Models(server=True, patience_seconds=0)
    demo.begin(own)
    until(lambda: demo.state.refused or (demo.state.run and demo.state.run.is_over), 400, "the demo has models trained")
    assert demo.state.run, demo.state
    assert demo.state.run.succeeded, demo.state
    assert champion(own, ISOLATION_FOREST) == champion(own, LSTM_AUTOENCODER) == 1
    until(lambda: served(own) == 1, 60, "the server answers with version 1")
    until(lambda: demo.state.answer_ms, 60, "the demo sees that it does")
    demo.end()
    assert first_anomaly(spark, bring_up(own, ["kafka"]), tmp_path / "stream")["model_version"] == "1"
    lines = models.told(demo.state, time.time())
    assert [line.split(",")[0] for line in lines[1:]] == [
        "isolation_forest version 1",
        "lstm_autoencoder version 1",
        "server: version 1",
    ]
    assert all(model.pr_auc > 0.3 for model in demo.state.by_name.values())
    first = in_process(store, 1, tmp_path)
    caller = Caller(own, store.manifest(LSTM_AUTOENCODER, 1).parameters)
    assert caller.once() == pytest.approx(first, abs=1e-4)

    other = SMALL["lstm_autoencoder"]["config"] | {"seed": 1}
    run(own, "train_models", {"lstm_autoencoder": {"config": other}}, "lstm_autoencoder")
    second = in_process(store, 2, tmp_path)
    assert np.abs(first - second).max() > 1e-3, "the versions differ"
    assert (champion(own, LSTM_AUTOENCODER), served(own)) == (1, 1), "a challenger runs in shadow"

    with caller.calling():
        wanted = {"name": LSTM_AUTOENCODER, "version": 2, "by": "ada", "why": "a test"}
        run(own, "promote_model", {"promote": {"config": wanted}})
        assert champion(own, LSTM_AUTOENCODER) == 2
        until(lambda: served(own) == 2, 60, "the server changes to version 2")
        until(lambda: np.allclose(caller.answers[-1], second, atol=1e-4), 10, "the scores are those of version 2")
        done = command(own, "rollback", LSTM_AUTOENCODER, "--why", "a test")
        assert (done.returncode, done.stdout) == (0, "lstm_autoencoder/1 is in force again\n"), done.stderr
        until(lambda: served(own) == 1, 60, "the server goes back to version 1")
        until(lambda: np.allclose(caller.answers[-1], first, atol=1e-4), 10, "the scores are those of version 1")
    assert caller.failed == []
    assert len(caller.answers) > 50
    known = [any(np.allclose(answer, each, atol=1e-4) for each in (first, second)) for answer in caller.answers]
    assert all(known), "each answer is of one version, none of a mixture"

    assert command(own, "promote", LSTM_AUTOENCODER, "2").returncode == 0
    store.objects.write(f"{LSTM_AUTOENCODER}/2/model.onnx", b"tampered with")
    supervisor.stop_program(own, "model-server")
    supervisor.start_program(own, "model-server")
    until(lambda: served(own) == 1, 60, "a server that starts anew takes the last good version")
    assert caller.once() == pytest.approx(first, abs=1e-4)
    with pytest.raises(ModelServerError, match="Servable not found"):
        caller.once(version=2)
    assert command(own, "rollback", LSTM_AUTOENCODER).returncode == 0
    refused = command(own, "promote", LSTM_AUTOENCODER, "2")
    assert refused.returncode == 1
    assert "model.onnx" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert champion(own, LSTM_AUTOENCODER) == 1
