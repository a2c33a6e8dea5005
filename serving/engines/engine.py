"""What answers: a model in memory, whichever library computes it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from sensorlake.errors import ModelError
from serving import saved_model
from serving.signature import Signature, Tensors

Choice = Literal["auto", "onnx", "tensorflow"]
ONNX_FILE = "model.onnx"


class Engine(Protocol):
    """`signatures`: those of the model, in TensorFlow's names; `library` is what computes."""

    library: str

    @property
    def signatures(self) -> Mapping[str, Signature]: ...

    def predict(self, signature: str, inputs: Tensors) -> Tensors:
        """The outputs by name. Called from one thread at a time."""
        ...


Open = Callable[[Path], Engine]


def open_model(folder: Path, choice: Choice = "auto", threads: int = 1) -> Engine:
    """The model of a version's folder, ready to answer: what it loads at its first answer is loaded.

    `auto` takes `model.onnx`, which needs a quarter less time and no TensorFlow, and the SavedModel where there is
    none, or where it has other inputs or outputs (docs/model-server.md has figures).

    Raises:
        ModelError: nothing in the folder can be served so, or TensorFlow would be needed and is not installed.
    """
    engine = _open(folder, choice, threads)
    for name, signature in engine.signatures.items():
        engine.predict(name, _zeros(signature))
    return engine


def _open(folder: Path, choice: Choice, threads: int) -> Engine:
    has_saved_model, has_onnx = (folder / saved_model.FILE_NAME).is_file(), (folder / ONNX_FILE).is_file()
    if has_onnx and choice != "tensorflow":
        from serving.engines.onnx_graph import OnnxGraph  # noqa: PLC0415  loaded with the first model

        described = saved_model.read_signatures(folder) if has_saved_model else None
        try:
            return OnnxGraph(folder / ONNX_FILE, described, threads)
        except ModelError:
            if choice == "onnx" or not has_saved_model:
                raise
    if has_saved_model and choice != "onnx":
        from serving.engines.tensorflow_graph import TensorflowGraph  # noqa: PLC0415  TensorFlow takes ten seconds

        return TensorflowGraph(folder, threads)
    either = f"{ONNX_FILE} or {saved_model.FILE_NAME}"
    sought = {"onnx": ONNX_FILE, "tensorflow": saved_model.FILE_NAME}.get(choice, either)
    raise ModelError(f"{folder} holds no {sought}: there is nothing to serve")


def _zeros(signature: Signature) -> Tensors:
    return {
        name: np.zeros([1 if size == -1 else size for size in tensor.shape or ()], tensor.dtype)
        for name, tensor in signature.inputs.items()
    }
