"""LSTM autoencoder: a network that learned to copy normal sequences copies abnormal ones badly.

    error = mean over the 50 windows and 6 figures of (x - copy)^2

(Malhotra and others, LSTM-based Encoder-Decoder for Multi-sensor Anomaly Detection, 2016.) The encoder squeezes a
sequence through layers of 128 and 64 units, the decoder unfolds it by 64 and 128. The threshold is the 95th percentile
of the error on normal sequences that were held back. Fires on shapes that it has never seen, drifts and noise among
them; fails on a new normal that was not in its training, and says nothing before a series has sent 50 windows.

Trained by Keras, which takes a GPU where TensorFlow finds one; scored through ONNX Runtime, or by any server of the
SavedModel: input `sequence` (batch, 50, 6), outputs `reconstruction` of the same shape and `error` (batch,).
"""

import importlib.util
import os
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detection.detectors.detector import Floats
from detection.models.onnx_model import SEQUENCES, OnnxModel
from detection.models.sequences import FEATURES, KIND, Sequences
from sensorlake.errors import ModelError

INPUT, RECONSTRUCTION, ERROR = "sequence", "reconstruction", "error"
_PERCENTILE = 95

Progress = Callable[[int, Mapping[str, float]], None]
"""Called after each epoch with its number from 1 on, and its losses."""


@dataclass(frozen=True)
class Sizes:
    """encoder, decoder: units of their layers. patience: epochs without a better validation loss before it ends."""

    encoder: tuple[int, ...] = (128, 64)
    decoder: tuple[int, ...] = (64, 128)
    epochs: int = 20
    batch: int = 128
    patience: int = 3
    learning_rate: float = 0.001


@dataclass(frozen=True)
class Trained:
    """`network`: of Keras, with both outputs. `parameters`: what a scorer must know, and how it was made."""

    network: Any
    parameters: Mapping[str, Any]

    def export(self, folder: Path) -> None:
        """Write a SavedModel, with signature serving_default, and model.onnx."""
        folder.mkdir(parents=True, exist_ok=True)
        made = folder / ".saved_model"
        self.network.export(made, verbose=False)
        for part in made.iterdir():
            part.rename(folder / part.name)
        made.rmdir()
        # It is empty, and an object storage has no empty folders.
        shutil.rmtree(folder / "assets", ignore_errors=True)
        with warnings.catch_warnings():
            # Keras asks numpy for a name that numpy is about to use for something else.
            warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
            self.network.export(folder / "model.onnx", format="onnx", verbose=False)


def train(
    normal: Sequences, validation: Sequences, sizes: Sizes, seed: int, progress: Progress | None = None
) -> Trained:
    """Train on normal sequences, shape (sequences, length, 6); `validation`: others, for the end and the threshold.

    The same arguments on the same machine give the same network.

    Raises:
        ModelError: TensorFlow is not installed, or there are no sequences.
    """
    if not len(normal) or not len(validation):
        raise ModelError(
            f"an LSTM autoencoder needs normal sequences to train on and others to set its threshold by, but there are "
            f"{len(normal)} and {len(validation)}: take more devices or a longer time"
        )
    keras = _keras()
    keras.utils.set_random_seed(seed)
    length = normal.shape[1]
    network, copying = _build(keras, length, sizes)
    copying.compile(optimizer=keras.optimizers.Adam(sizes.learning_rate), loss="mean_squared_error")
    history = copying.fit(
        normal,
        normal,
        validation_data=(validation, validation),
        epochs=sizes.epochs,
        batch_size=min(sizes.batch, len(normal)),
        callbacks=_callbacks(keras, sizes, progress),
        verbose=0,
    ).history
    error = network.predict(validation, batch_size=sizes.batch, verbose=0)[ERROR]
    parameters = {
        "features": list(FEATURES),
        "windows": KIND,
        "length": length,
        "threshold": float(np.percentile(error, _PERCENTILE)),
        "seed": seed,
        **{name: list(value) if isinstance(value, tuple) else value for name, value in asdict(sizes).items()},
        "trained_epochs": len(history["loss"]),
        "loss": float(history["loss"][-1]),
        "validation_loss": float(min(history["val_loss"])),
        "device": _device(),
    }
    return Trained(network, parameters)


def can_be_trained() -> bool:
    """Is TensorFlow installed? It is not imported for the answer."""
    return all(importlib.util.find_spec(name) for name in ("tensorflow", "keras"))


class Scorer:
    """A published autoencoder, `parameters` being those of its manifest."""

    def __init__(self, file: Path, parameters: Mapping[str, Any], *, threads: int = 1) -> None:
        self.length = int(parameters["length"])
        self.threshold = float(parameters["threshold"])
        self._model = OnnxModel(file, threads=threads, together=SEQUENCES)

    def score(self, sequences: Sequences) -> Floats:
        """Reconstruction errors, shape (sequences,)."""
        (error,) = self._model.run(sequences, [ERROR])
        return error.astype(np.float64)

    def reconstruct(self, sequences: Sequences) -> tuple[Sequences, Floats]:
        """The copies, shape (sequences, length, 6), and their errors."""
        copy, error = self._model.run(sequences, [RECONSTRUCTION, ERROR])
        return copy, error.astype(np.float64)


def _build(keras: Any, length: int, sizes: Sizes) -> tuple[Any, Any]:
    """(network with both outputs, the same layers with the copy alone, which is what is trained)."""
    layers, ops = keras.layers, keras.ops

    class SquaredError(layers.Layer):  # type: ignore[misc]
        def call(self, one: Any, other: Any) -> Any:
            return ops.mean(ops.square(one - other), axis=(1, 2))

    given = keras.Input((length, len(FEATURES)), name=INPUT)
    x = given
    for place, units in enumerate(sizes.encoder):
        x = layers.LSTM(units, return_sequences=place + 1 < len(sizes.encoder))(x)
    x = layers.RepeatVector(length)(x)
    for units in sizes.decoder:
        x = layers.LSTM(units, return_sequences=True)(x)
    # The same for each window, all at once: `TimeDistributed` would export a product of its own for each of them.
    copy = layers.Dense(len(FEATURES), name=RECONSTRUCTION)(x)
    error = SquaredError(name=ERROR)(given, copy)
    return keras.Model(given, {RECONSTRUCTION: copy, ERROR: error}), keras.Model(given, copy)


def _callbacks(keras: Any, sizes: Sizes, progress: Progress | None) -> Sequence[Any]:
    patient = keras.callbacks.EarlyStopping("val_loss", patience=sizes.patience, restore_best_weights=True)
    if progress is None:
        return [patient]

    def told(epoch: int, logs: Mapping[str, float] | None) -> None:
        progress(epoch + 1, {name: float(value) for name, value in (logs or {}).items()})

    return [patient, keras.callbacks.LambdaCallback(on_epoch_end=told)]


def _keras() -> Any:
    """Keras on TensorFlow, whose operations give the same result each time."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        import keras  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415  ten seconds
        import tensorflow  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415
    except ImportError as error:
        raise ModelError(
            f"the LSTM autoencoder is trained with TensorFlow, which is not installed ({error}): "
            "install sensorlake with its extra `models`"
        ) from None
    tensorflow.config.experimental.enable_op_determinism()
    return keras


def _device() -> str:
    import tensorflow  # noqa: PLC0415

    found = tensorflow.config.list_physical_devices("GPU")
    return f"{len(found)} GPU" if found else "CPU"
