"""What a model takes and gives: named tensors with a type and a shape, as SavedModels describe themselves."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DEFAULT = "serving_default"
PREDICT = "tensorflow/serving/predict"

Tensors = Mapping[str, NDArray[np.generic]]

# The types that JSON can express without loss of kind, by TensorFlow's numbers (types.proto).
_TYPES = {
    1: ("DT_FLOAT", "float", "float32"),
    2: ("DT_DOUBLE", "double", "float64"),
    3: ("DT_INT32", "int32", "int32"),
    4: ("DT_UINT8", "uint8", "uint8"),
    5: ("DT_INT16", "int16", "int16"),
    6: ("DT_INT8", "int8", "int8"),
    9: ("DT_INT64", "int64", "int64"),
    10: ("DT_BOOL", "bool", "bool"),
    17: ("DT_UINT16", "uint16", "uint16"),
    22: ("DT_UINT32", "uint32", "uint32"),
    23: ("DT_UINT64", "uint64", "uint64"),
}
# Seen in metadata, never served: the "output" of an operation that only does something, and strings.
_NOT_SERVED = {0: "DT_INVALID", 7: "DT_STRING"}
_OF_NUMPY = {numpy_name: number for number, (_, _, numpy_name) in _TYPES.items()}


@dataclass(frozen=True)
class Tensor:
    """`type_number` is TensorFlow's; `shape` has -1 for a dimension of any length, and is None where nothing is known.

    `graph_name` is the tensor's name inside the model's graph, which only the metadata show.
    """

    type_number: int
    shape: tuple[int, ...] | None
    graph_name: str = ""

    @property
    def type_name(self) -> str:
        """As error messages call it, such as `float`."""
        return _TYPES[self.type_number][1] if self.type_number in _TYPES else self._type[3:].lower()

    @property
    def dtype(self) -> np.dtype[np.generic] | None:
        """None for what is not served."""
        return np.dtype(_TYPES[self.type_number][2]) if self.type_number in _TYPES else None

    @property
    def is_batched(self) -> bool:
        """Is its first dimension the number of instances?"""
        return bool(self.shape) and self.shape is not None and self.shape[0] == -1

    def describe(self) -> dict[str, object]:
        """As TensorInfo in JSON."""
        dims = [{"size": str(size), "name": ""} for size in self.shape or ()]
        shape = {"dim": dims, "unknown_rank": self.shape is None}
        return {"dtype": self._type, "tensor_shape": shape, "name": self.graph_name}

    @property
    def _type(self) -> str:
        known = _TYPES.get(self.type_number)
        return known[0] if known else _NOT_SERVED.get(self.type_number, f"DT_{self.type_number}")


@dataclass(frozen=True)
class Signature:
    """One way to call a model."""

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    method: str = PREDICT

    @property
    def is_batched(self) -> bool:
        """May instances of several requests go through the model together?"""
        tensors = [*self.inputs.values(), *self.outputs.values()]
        return bool(self.inputs) and all(tensor.is_batched for tensor in tensors)

    def describe(self) -> dict[str, object]:
        """As SignatureDef in JSON."""
        return {
            "inputs": {name: tensor.describe() for name, tensor in self.inputs.items()},
            "outputs": {name: tensor.describe() for name, tensor in self.outputs.items()},
            "method_name": self.method,
            "defaults": {},
        }


def tensor_of_numpy(dtype: str, shape: tuple[int, ...] | None, graph_name: str = "") -> Tensor:
    """
    Raises:
        ValueError: a type that is not served.
    """
    if dtype not in _OF_NUMPY:
        raise ValueError(f"tensor {graph_name} is of type {dtype}, which is not served")
    return Tensor(_OF_NUMPY[dtype], shape, graph_name)
