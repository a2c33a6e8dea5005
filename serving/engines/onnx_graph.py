"""A model computed by ONNX Runtime."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
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

    def predict(self, signature: str, inputs: Tensors) -> Tensors:  # noqa: ARG002  all are the same graph
        given = {self._inputs[name]: array for name, array in inputs.items()}
        return dict(zip(self._outputs, self._session.run(list(self._outputs.values()), given), strict=True))


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
