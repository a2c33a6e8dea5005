"""Trains the models on the newest training set, publishes them and enters them as challengers."""

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import numpy as np

from detection import standard
from detection.models import examples, isolation_forest, lstm_autoencoder, message_scores, sequences
from detection.models.examples import TEST, TRAIN, VALIDATION, Examples, LabelledReadings
from lakehouse.lake import Lake
from lakehouse.models import registry
from lakehouse.models.manifest import Manifest
from lakehouse.models.store import ISOLATION_FOREST, LSTM_AUTOENCODER, ModelStore
from orchestration.training import sets
from orchestration.training.sets import TrainingSet

Log = Callable[[str], None]
Trained = isolation_forest.Trained | lstm_autoencoder.Trained


@dataclass(frozen=True)
class Place:
    """Where models come from and go to. by, why: what the registry says of an entry."""

    lake: Lake
    store: ModelStore
    by: str
    why: str


def train_forest(
    place: Place, sizes: isolation_forest.Sizes, *, seed: int, most_messages: int, log: Log
) -> dict[str, Any]:
    """Train an isolation forest; what the asset's page shows."""
    given = sets.newest(place.lake)
    rows = messages(given.data).thinned(most_messages, seed)
    names = standard.ensemble().names
    log(f"training set {given.version}: {len(rows)} messages, {len(names)} detectors")
    trained = isolation_forest.train(rows.normal(TRAIN), rows.normal(VALIDATION), names, sizes, seed)
    return _publish(place, ISOLATION_FOREST, trained, given, rows)


def train_autoencoder(
    place: Place, sizes: lstm_autoencoder.Sizes, *, seed: int, most_sequences: int, log: Log
) -> dict[str, Any]:
    """Train an LSTM autoencoder; what the asset's page shows."""
    given = sets.newest(place.lake)
    rows = examples.windows(given.data).thinned(most_sequences, seed)
    log(f"training set {given.version}: {len(rows)} sequences of {sequences.LENGTH} windows; TensorFlow starts")

    def told(epoch: int, losses: Mapping[str, float]) -> None:
        said = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
        log(f"epoch {epoch} of {sizes.epochs}: {said}")

    trained = lstm_autoencoder.train(rows.normal(TRAIN), rows.normal(VALIDATION), sizes, seed, told)
    return _publish(place, LSTM_AUTOENCODER, trained, given, rows)


def messages(data: LabelledReadings) -> Examples:
    """By the ensemble that the stream runs; what it says of a device while that is new is left out."""
    return examples.messages(data, standard.ensemble(), settling=standard.TRAINING)


def scores(name: str, folder: Path, manifest: Manifest, rows: Examples) -> np.ndarray:
    """What a version says of the rows of its kind.

    Raises:
        ModelError: it cannot score what the detectors say now.
    """
    if name == LSTM_AUTOENCODER:
        return lstm_autoencoder.Scorer(folder / "model.onnx", manifest.parameters).score(rows.x)
    scorer = isolation_forest.Scorer(folder / "model.onnx", manifest.parameters)
    x = message_scores.columns(rows.x, standard.ensemble().names, scorer.features)
    # As in the stream, which does not put the others to a forest.
    telling = message_scores.telling(np.expm1(rows.x.max(axis=1)))
    found = np.zeros(len(rows))
    found[telling] = scorer.score(x[telling])
    return found


def code_version() -> str:
    """The version of sensorlake and a hash of the code that models are made by: a change of either is a change."""
    digest = hashlib.sha256()
    for module in (examples, isolation_forest, lstm_autoencoder, sequences):
        digest.update(Path(str(module.__file__)).read_bytes())
    return f"{version_of('sensorlake')}+{digest.hexdigest()[:12]}"


def _publish(place: Place, name: str, trained: Trained, given: TrainingSet, rows: Examples) -> dict[str, Any]:
    counts = {part: int((rows.part == part).sum()) for part in (TRAIN, VALIDATION, TEST)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / name
        trained.export(folder)
        made = place.store.publish(
            name,
            folder,
            training_set=given.described(),
            parameters=trained.parameters,
            metrics={"rows": counts},
            code_version=code_version(),
        )
    registry.challenge(place.lake, name, made.version, by=place.by, why=place.why, trained_on=given.version)
    simple = {key: value for key, value in trained.parameters.items() if isinstance(value, int | float | str)}
    return {
        "version": made.version,
        "training_set": given.version,
        "code_version": made.code_version,
        "files": ", ".join(made.files),
        **{f"rows_{part}": count for part, count in counts.items()},
        **simple,
    }
