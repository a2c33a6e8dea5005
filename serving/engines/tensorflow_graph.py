"""A SavedModel computed by TensorFlow, which is imported here and nowhere else."""

import os
from pathlib import Path
from typing import Any

from sensorlake.errors import ModelError
from serving import saved_model
from serving.signature import Tensors


class TensorflowGraph:
    library = "TensorFlow"

    def __init__(self, folder: Path, threads: int) -> None:
        """
        Raises:
            ModelError: TensorFlow is not installed, or cannot load the folder.
        """
        self._tensorflow = _tensorflow(threads)
        described = saved_model.read_signatures(folder)
        try:
            self._model = self._tensorflow.saved_model.load(str(folder))  # the functions live as long as it does
            self._functions = dict(self._model.signatures)
        except Exception as error:  # whatever a damaged graph makes it raise
            raise ModelError(f"{folder} cannot be loaded: {error}") from None
        self.signatures = {
            name: signature for name, signature in described.items() if name in self._functions and signature.inputs
        }

    def predict(self, signature: str, inputs: Tensors) -> Tensors:
        given = {name: self._tensorflow.constant(array) for name, array in inputs.items()}
        return {name: output.numpy() for name, output in self._functions[signature](**given).items()}


def _tensorflow(threads: int) -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError:
        raise ModelError(
            "this model is a SavedModel without model.onnx, and TensorFlow is not installed: install sensorlake with "
            "its extra `models` (`uv sync --extra models`)"
        ) from None
    try:
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        pass  # something computed already in this process: the numbers of then stay
    return tensorflow
