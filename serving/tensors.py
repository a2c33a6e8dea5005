"""Bodies of requests to arrays and arrays to bodies of answers: TensorFlow Serving's row and columnar formats.

Row format: `{"instances": [...]}` -> `{"predictions": [...]}`; columnar: `{"inputs": ...}` -> `{"outputs": ...}`.
Where there is one tensor its name is left out; where there are several, instances are objects, and inputs is one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from serving.refusal import RefusalError, invalid
from serving.signature import DEFAULT, Signature, Tensor, Tensors

_SHOWN = 256
# What TensorFlow Serving takes and sends beyond JSON (RFC 8259).
_NOT_FINITE = (b"NaN", b"Infinity", b"Inf")


@dataclass(frozen=True)
class Request:
    """What is asked of a model; `rows` says in which format it was asked and is to be answered."""

    signature: str
    inputs: Tensors
    rows: bool


def read_request(body: bytes, signatures: Mapping[str, Signature]) -> Request:
    """
    Raises:
        RefusalError: the body does not fit the model, with TensorFlow Serving's reason.
    """
    content = _parse(body)
    name = content.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {_shown(content)} not formatted correctly. 'signature_name' key must be a string value."
        )
    name = name or DEFAULT
    if name not in signatures:
        raise invalid(f'Serving signature name: "{name}" not found in signature def')
    expected = signatures[name].inputs
    if not expected:
        raise invalid(f"Failed to get input map for signature: {name}")
    if "instances" in content and "inputs" in content:
        raise invalid(
            f"JSON Value: {_shown(content)} Not formatted correctly expecting only one of 'inputs' or 'instances' "
            "keys to exist "
        )
    if "instances" in content:
        return Request(name, _of_rows(content, expected), rows=True)
    if "inputs" in content:
        return Request(name, _of_columns(content["inputs"], expected), rows=False)
    raise invalid("Missing 'inputs' or 'instances' key")


def write_answer(outputs: Tensors, *, rows: bool) -> bytes:
    """
    Raises:
        RefusalError: the model's outputs have no common first dimension, and rows were asked for.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in outputs.items()}
    only = next(iter(arrays.values())) if len(arrays) == 1 else None
    if not rows:
        return _write({"outputs": arrays if only is None else only}, arrays)
    lengths = {name: array.shape[0] if array.ndim else None for name, array in arrays.items()}
    if len(set(lengths.values())) != 1 or None in lengths.values():
        raise invalid(f"Tensors have inconsistent batch sizes {lengths}: ask in columnar format")
    if only is not None:
        return _write({"predictions": only}, arrays)
    length = next(iter(lengths.values())) or 0
    return _write(
        {"predictions": [{name: array[row] for name, array in arrays.items()} for row in range(length)]}, arrays
    )


def _parse(body: bytes) -> dict[str, Any]:
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        content = _parse_with_not_finite(body, error)
    if not isinstance(content, dict):
        raise invalid(f"JSON Value: {_shown(content)} Is not object")
    return content


def _parse_with_not_finite(body: bytes, error: ValueError) -> Any:
    if any(word in body for word in _NOT_FINITE):
        try:
            return json.loads(body)
        except ValueError as second:
            error = second
    raise invalid(f"JSON Parse error: Invalid value. {error}") from None


def _of_rows(content: dict[str, Any], expected: Mapping[str, Tensor]) -> Tensors:
    instances = content["instances"]
    if not isinstance(instances, list):
        raise invalid(f"JSON Value: {_shown(content)} Expecting 'instances' to be an list/array")
    if not instances:
        raise invalid(f"JSON Value: {_shown(content)} No values in 'instances' array")
    if not isinstance(instances[0], dict):
        if len(expected) > 1:
            raise invalid(
                "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
                "tensorinfo_map"
            )
        name, tensor = next(iter(expected.items()))
        return {name: _array(instances, name, tensor)}
    for number, instance in enumerate(instances):
        if not isinstance(instance, dict):
            raise invalid(f"Expecting object but got list at item {number} of input list")
        if instance.keys() != expected.keys():
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: {_shown(instance)} keys must "
                f"be equal to: {','.join(sorted(expected))}"
            )
    return {name: _array([instance[name] for instance in instances], name, tensor) for name, tensor in expected.items()}


def _of_columns(inputs: Any, expected: Mapping[str, Tensor]) -> Tensors:
    if not isinstance(inputs, dict):
        if len(expected) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        name, tensor = next(iter(expected.items()))
        return {name: _array(inputs, name, tensor)}
    if missing := [name for name in expected if name not in inputs]:
        raise invalid(f"Missing named input: {missing[0]} in 'inputs' object.")
    return {name: _array(inputs[name], name, tensor) for name, tensor in expected.items()}


def _array(value: Any, name: str, tensor: Tensor) -> NDArray[np.generic]:
    if tensor.dtype is None:
        raise RefusalError(501, f"Conversion of JSON Value: {_shown(value)} to type: {tensor.type_name}")
    try:
        found = np.asarray(value)
    except (ValueError, OverflowError):
        raise invalid(f"Input {name}: its lists differ in length or depth: {_shown(value)}") from None
    if found.dtype.kind not in _KINDS[tensor.dtype.kind]:
        raise invalid(f"JSON Value: {_shown(value)} is not of expected type: {tensor.type_name}")
    if found.dtype.kind in "iu" and tensor.dtype.kind in "iu":
        limits = np.iinfo(str(tensor.dtype))
        if found.size and (int(found.min()) < limits.min or int(found.max()) > limits.max):
            raise invalid(f"JSON Value: {_shown(value)} is not of expected type: {tensor.type_name}")
    if not _fits(found.shape, tensor.shape):
        raise invalid(f"Input {name}: expecting shape {_shape(tensor.shape)} but got: {_shape(found.shape)}")
    with np.errstate(over="ignore"):  # a number beyond single precision is infinite there
        return found.astype(tensor.dtype, copy=False)


# Which kinds of numpy's may stand for which: numbers without a point are numbers, truth values are not.
_KINDS = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}


def _fits(shape: tuple[int, ...], expected: tuple[int, ...] | None) -> bool:
    if expected is None:
        return True
    return len(shape) == len(expected) and all(
        wanted in {-1, size} for size, wanted in zip(shape, expected, strict=True)
    )


def _shape(shape: tuple[int, ...] | None) -> str:
    return "[?]" if shape is None else f"[{','.join(map(str, shape))}]"


def _write(content: dict[str, Any], arrays: Tensors) -> bytes:
    if all(array.dtype.kind != "f" or np.isfinite(array).all() for array in arrays.values()):
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    # orjson has no word for numbers that are not finite.
    return json.dumps(content, default=lambda array: array.tolist()).encode()


def _shown(value: Any) -> str:
    """The beginning of a value, for messages."""
    return _write_any(value)[:_SHOWN].decode(errors="ignore")


def _write_any(value: Any) -> bytes:
    if isinstance(value, list):  # not the megabytes of it
        return b"[" + b",".join(_write_any(one) for one in value[:8]) + (b",..." if len(value) > 8 else b"") + b"]"
    try:
        return orjson.dumps(value)
    except (TypeError, orjson.JSONEncodeError):
        return repr(value).encode()
