"""The signatures of a SavedModel, read without TensorFlow, whose import takes seconds and half a gigabyte.

`saved_model.pb` is a protocol buffer (saved_model.proto, meta_graph.proto). Only the few fields that describe the
signatures are read; the graph itself is skipped. Wire format: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator
from pathlib import Path

from sensorlake.errors import ModelError
from serving.signature import Signature, Tensor

FILE_NAME = "saved_model.pb"
_SERVE = b"serve"

# Numbers of the fields.
_META_GRAPHS = 2
_META_INFO, _SIGNATURES = 1, 5
_TAGS = 4
_KEY, _VALUE = 1, 2
_INPUTS, _OUTPUTS, _METHOD = 1, 2, 3
_NAME, _TYPE, _SHAPE = 1, 2, 3
_DIMENSION, _UNKNOWN_RANK = 2, 3
_SIZE = 1

# Kinds of fields; some have a fixed number of bytes.
_VARINT, _LENGTH = 0, 2
_FIXED = {1: 8, 5: 4}


def read_signatures(folder: Path) -> dict[str, Signature]:
    """The signatures of the graph that is tagged for serving.

    Raises:
        ModelError: the file is missing or is no SavedModel.
    """
    path = folder / FILE_NAME
    try:
        content = path.read_bytes()
        graphs = [bytes(value) for value in _messages(content, _META_GRAPHS)]
        graph = next((one for one in graphs if _is_for_serving(one)), graphs[0])
        entries = [_entry(value) for value in _messages(graph, _SIGNATURES)]
        return {name: _signature(value) for name, value in sorted(entries)}
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise ModelError(f"{path} is no SavedModel ({error!r}): the model is not served") from None


def _is_for_serving(graph: bytes) -> bool:
    return any(_SERVE in _messages(info, _TAGS) for info in _messages(graph, _META_INFO))


def _signature(content: bytes) -> Signature:
    inputs, outputs = (
        {name: _tensor(value) for name, value in sorted(_entry(entry) for entry in _messages(content, field))}
        for field in (_INPUTS, _OUTPUTS)
    )
    return Signature(inputs, outputs, _text(content, _METHOD))


def _tensor(content: bytes) -> Tensor:
    shape = next(iter(_messages(content, _SHAPE)), b"")
    sizes = tuple(_number(dimension, _SIZE) for dimension in _messages(shape, _DIMENSION))
    return Tensor(_number(content, _TYPE), None if _number(shape, _UNKNOWN_RANK) else sizes, _text(content, _NAME))


def _entry(content: bytes) -> tuple[str, bytes]:
    """An entry of a map."""
    return _text(content, _KEY), next(iter(_messages(content, _VALUE)), b"")


def _text(content: bytes, field: int) -> str:
    return next(iter(_messages(content, field)), b"").decode()


def _messages(content: bytes, field: int) -> list[bytes]:
    return [value for number, value in _fields(content) if number == field and isinstance(value, bytes)]


def _number(content: bytes, field: int) -> int:
    """A varint as the signed number it stands for; 0 where it is not there, as protocol buffers have it."""
    value = next((found for number, found in _fields(content) if number == field and isinstance(found, int)), 0)
    return value - (1 << 64) if value >> 63 else value


def _fields(content: bytes) -> Iterator[tuple[int, bytes | int]]:
    """(number, value) of each field of a message.

    Raises:
        ValueError, IndexError, KeyError: that is no message.
    """
    position = 0
    while position < len(content):
        tag, position = _varint(content, position)
        kind = tag & 7
        value: bytes | int
        if kind == _VARINT:
            value, position = _varint(content, position)
        else:
            length, position = _varint(content, position) if kind == _LENGTH else (_FIXED[kind], position)
            value, position = content[position : position + length], position + length
            if position > len(content):
                raise ValueError("cut off")
        yield tag >> 3, value


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """The number that begins at `position`, and where the next thing begins."""
    value = shift = 0
    while True:
        byte = content[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if not byte & 0x80:
            return value, position
        if shift > 63:
            raise ValueError("a number without end")
