"""A model computed by ONNX Runtime, instances of a batch part by part.

Parts, and not the runtime's own threads, are what several processors share: one that is taken away for a moment holds
up its part, where the runtime's threads would wait for each other after each operation.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from detection.models.onnx_model import SEQUENCES
from sensorlake.errors import ModelError
from serving.signature import DEFAULT, Signature, Tensor, Tensors, tensor_of_numpy

_NUMPY = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
    **{f"tensor({kind}{bits})": f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
}


class OnnxGraph:
    """`model.onnx` under the names that the SavedModel beside it has, or its own where there is none.

    Names that are in both stand for each other; otherwise it goes by position, as both list their tensors in the same
    order.
    """

    library = "ONNX Runtime"

    def __init__(self, path: Path, described: Mapping[str, Signature] | None, threads: int) -> None:
        """
        Raises:
            ModelError: the file is no model, or has other inputs and outputs than the SavedModel.
        """
        import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415  half a second

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = 1, 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            own = Signature(_tensors(self._session.get_inputs()), _tensors(self._session.get_outputs()))
        except Exception as error:  # ONNX Runtime's errors have no common class
            raise ModelError(f"{path} cannot be loaded: {error}") from None
        default = (described or {DEFAULT: own}).get(DEFAULT)
        if default is None or not (_agree(default.inputs, own.inputs) and _agree(default.outputs, own.outputs)):
            raise ModelError(f"{path} has other inputs or outputs than the SavedModel beside it")
        # A SavedModel may have more signatures; those that take and give the same are the same graph.
        self.signatures = {
            name: signature
            for name, signature in (described or {DEFAULT: own}).items()
            if signature.inputs.keys() == default.inputs.keys() and signature.outputs.keys() == default.outputs.keys()
        }
        self._inputs = _pairs(default.inputs, own.inputs)
        self._outputs = _pairs(default.outputs, own.outputs)
        self._is_batched = default.is_batched
        self._largest = SEQUENCES if _takes_sequences(default) else None
        self._threads = threads
        self._map = _map(threads)

    def predict(self, signature: str, inputs: Tensors) -> Tensors:  # noqa: ARG002  all are the same graph
        given = {self._inputs[name]: array for name, array in inputs.items()}
        sizes = {len(array) for array in given.values()} if self._is_batched else set()
        size = self._size(sizes.pop()) if len(sizes) == 1 else 0
        found = (self._in_parts(given, size) if size else None) or self._run(given)
        return dict(zip(self._outputs, found, strict=True))

    def _size(self, instances: int) -> int:
        """Instances in a part; 0: all of them are one."""
        size = min(-(-instances // self._threads), self._largest or instances)
        return size if size < instances else 0

    def _in_parts(self, given: Tensors, size: int) -> Sequence[np.ndarray] | None:
        """None where the outputs of a part are not those of its instances alone."""
        (instances,) = {len(array) for array in given.values()}
        parts = [
            {name: array[first : first + size] for name, array in given.items()} for first in range(0, instances, size)
        ]
        found = list(self._map(self._run, parts))
        sizes = [len(next(iter(part.values()))) for part in parts]
        if any(array.shape[:1] != (each,) for arrays, each in zip(found, sizes, strict=True) for array in arrays):
            return None
        return [np.concatenate(arrays) for arrays in zip(*found, strict=True)]

    def _run(self, given: Tensors) -> Sequence[np.ndarray]:
        arrays: Sequence[np.ndarray] = self._session.run(list(self._outputs.values()), given)
        return arrays


def _takes_sequences(signature: Signature) -> bool:
    """Instances of two dimensions or more: what recurrent networks take."""
    return all(tensor.shape is not None and len(tensor.shape) > 2 for tensor in signature.inputs.values())


def _map(threads: int) -> Callable[[Callable[[Tensors], Any], Iterable[Tensors]], Iterable[Any]]:
    return map if threads == 1 else ThreadPoolExecutor(threads, thread_name_prefix="model").map


def _tensors(nodes: list[Any]) -> dict[str, Tensor]:
    return {
        node.name: tensor_of_numpy(_NUMPY.get(node.type, node.type), _shape(node.shape), node.name) for node in nodes
    }


def _shape(shape: list[Any]) -> tuple[int, ...]:
    """Dimensions that have a name, or nothing, are of any length."""
    return tuple(size if isinstance(size, int) else -1 for size in shape)


def _agree(described: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> bool:
    if len(described) != len(own):
        return False
    pairs = [(described[name], own[other]) for name, other in _pairs(described, own).items()]
    return all(
        mine.dtype == other.dtype and (mine.shape is None or other.shape is None or len(mine.shape) == len(other.shape))
        for mine, other in pairs
    )


def _pairs(described: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, str]:
    """The SavedModel's name of each tensor -> the ONNX graph's."""
    if described.keys() == own.keys():
        return {name: name for name in described}
    return dict(zip(described, own, strict=True))
