"""The models beside the stream: Dagster is asked to train small ones, and what came of it is looked at."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import numpy as np
from deltalake.exceptions import DeltaError

from detection.models.remote import RemoteScorer, Server
from lakehouse.lake import Lake
from lakehouse.models import registry
from lakehouse.models.store import LSTM_AUTOENCODER, ModelStore
from sensorlake.demo import plan
from sensorlake.demo.dagster_runs import OneRun, Run
from sensorlake.demo.figures import shown
from sensorlake.errors import SensorlakeError
from sensorlake.settings import Settings
from stack import http_probe

JOB = "train_models"
SEQUENCES = 64
# Thresholds are to be learned first; where that takes longer, training does not wait for it.
PATIENCE_SECONDS = 90.0
_LOOK_SECONDS = 3.0
_LAUNCH_AGAIN_SECONDS = 60.0


@dataclass(frozen=True)
class Model:
    """What stands in the registry of one model. `pr_auc`: of the champion on held-back readings."""

    champion: int | None
    challenger: int | None = None
    pr_auc: float | None = None


@dataclass(frozen=True)
class State:
    """`dagster`: is it up? `run`: the training that this demo asked for. `serves`: the version of each model that the
    model server answers with; `answer_ms`: how long it took for a batch of sequences. `refused`: what Dagster said to
    the launch."""

    dagster: bool = False
    run: Run | None = None
    by_name: Mapping[str, Model] | None = None
    serves: Mapping[str, int | None] | None = None
    answer_ms: float | None = None
    refused: str | None = None


class Models:
    """Looks every few seconds in a thread of its own; asks for training once, after `want` or after some patience."""

    def __init__(self, *, server: bool, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.state = State()
        self._patience_seconds = patience_seconds
        self._wanted = False
        self._has_server = server
        self._launched = 0.0
        self._asked_for: int | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, settings: Settings) -> None:
        """Dagster is up. Harmless when called again."""
        if self._thread is None:
            self.state = replace(self.state, dagster=True)
            self._thread = threading.Thread(target=self._run, args=(settings,), name="models", daemon=True)
            self._thread.start()

    def want(self) -> None:
        """There is nothing to wait for any more."""
        self._wanted = True

    def end(self) -> None:
        """Look no more; harmless before `begin`."""
        self._stop.set()
        if self._thread:
            self._thread.join(30)

    def _run(self, settings: Settings) -> None:
        began = time.monotonic()
        run = OneRun(settings.dagster_port, JOB, uuid4().hex)
        while not self._stop.is_set():
            try:
                self._train(run, due=self._wanted or time.monotonic() - began > self._patience_seconds)
                self.state = replace(self.state, by_name=in_force(Lake.of(settings)))
                if self._has_server:
                    self._ask_server(settings)
            except (SensorlakeError, OSError, DeltaError):
                pass  # a server may be restarting: the next look tells
            self._stop.wait(_LOOK_SECONDS)

    def _train(self, run: OneRun, *, due: bool) -> None:
        found = run.find() if self._launched else None
        if found:
            self.state = replace(self.state, run=found)
            return
        # The answer to a launch may have been lost, and the run with it.
        again = not self._launched or time.monotonic() - self._launched > _LAUNCH_AGAIN_SECONDS
        if self.state.run or self.state.refused or not due or not again:
            return
        self._launched = time.monotonic()
        try:
            run.launch(plan.TRAINING, "demo: small models, to be seen at work")
        except SensorlakeError as error:
            self.state = replace(self.state, refused=str(error))

    def _ask_server(self, settings: Settings) -> None:
        """Which versions answer; the first time that one does, a batch of sequences is scored by it."""
        answer = http_probe.request(f"{settings.model_server_url}/healthz")[1]
        serves = dict(answer.get("models", {}))
        self.state = replace(self.state, serves=serves)
        version = serves.get(LSTM_AUTOENCODER)
        if version is None or version == self._asked_for:
            return
        manifest = ModelStore.of(settings).manifest(LSTM_AUTOENCODER, version)
        server = Server(settings.model_server_url, settings.model_server_token.get_secret_value())
        scorer = RemoteScorer(server, LSTM_AUTOENCODER, manifest.parameters, version=version)
        batch = np.zeros((SEQUENCES, scorer.length, len(manifest.parameters["features"])), np.float32)
        try:
            begin = time.monotonic()
            scorer.score(batch)
            self.state = replace(self.state, answer_ms=(time.monotonic() - begin) * 1000)
        finally:
            scorer.close()
        self._asked_for = version


def in_force(lake: Lake) -> dict[str, Model]:
    """Champion and challenger of each model that was entered, and how good the champion is."""
    from orchestration.training import promotion  # noqa: PLC0415  imports SQLAlchemy; nobody waits for it here

    figures = promotion.newest_figures(lake)
    found: dict[str, Model] = {}
    for each in registry.standings(lake):
        model = found.setdefault(each.name, Model(None))
        if each.role == registry.CHAMPION:
            pr_auc = figures.get((each.name, each.version), (None,))[0]
            found[each.name] = replace(model, champion=each.version, pr_auc=pr_auc)
        elif each.role == registry.CHALLENGER:
            found[each.name] = replace(model, challenger=each.version)
    return found


def told(state: State, now: float) -> list[str]:
    """Short lines: how training stands, what is in force, what the server answers with."""
    return [_training(state, now), *_found(state)]


def summed_up(state: State, now: float) -> list[str]:
    """The same when the demo is over."""
    run = state.run
    if run is None and not state.refused:
        why = "Dagster was to learn thresholds first" if state.dagster else "Dagster was not up in time"
        first = f"not trained: {why}"
    elif run and not run.is_over:
        return [f"not trained when the demo ended: {_training(state, now)}", *_found(state)]
    else:
        first = _training(state, now)
    return [first, *_found(state)]


def document(state: State | None) -> dict[str, Any] | None:
    """For programs; None without Dagster."""
    if state is None:
        return None
    run = state.run
    return {
        "training": run.status if run else "REFUSED" if state.refused else "NOT_ASKED",
        "training_s": round(run.ended - run.began, 1) if run and run.began and run.ended else None,
        "in_force": {name: vars(model) for name, model in (state.by_name or {}).items()},
        "served": dict(state.serves or {}),
        "answer_ms": None if state.answer_ms is None else round(state.answer_ms, 1),
    }


def _found(state: State) -> list[str]:
    lines = [f"{name} {_model(model)}" for name, model in (state.by_name or {}).items()]
    if state.serves and state.answer_ms is not None:
        served = state.serves.get(LSTM_AUTOENCODER)
        lines.append(f"server: version {served}, {SEQUENCES} sequences in {shown(state.answer_ms, 'ms')}")
    return lines


def _training(state: State, now: float) -> str:
    run = state.run
    if state.refused:
        return state.refused
    if run is None:
        return "trained once thresholds are learned" if state.dagster else "trained when Dagster is up"
    if run.waits:
        return "training is in Dagster's queue"
    if run.succeeded:
        return f"trained in {(run.ended or now) - (run.began or now):.0f} s"
    if run.is_over:
        return f"training {run.status.lower()}: see run {run.identity[:8]}"
    step = f": {run.step}" if run.step else ""
    return f"in training for {now - (run.began or now):.0f} s{step}"


def _model(model: Model) -> str:
    parts = ["none in force" if model.champion is None else f"version {model.champion}"]
    parts += [] if model.pr_auc is None else [f"PR-AUC {model.pr_auc:.2f}"]
    parts += [] if model.challenger is None else [f"{model.challenger} in shadow"]
    return ", ".join(parts)
