"""Corrections of JSON messages: a merge patch as RFC 7396 has it, and a timestamp of now."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sensorlake.errors import SelectionError


def parse(text: str) -> dict[str, Any]:
    """The patch given on a command line.

    Raises:
        SelectionError: it is no JSON object.
    """
    patch = read_object(text.encode())
    if patch is None:
        raise SelectionError(f'the patch is no JSON object: {text!r}; for example \'{{"unit": "K"}}\'')
    return patch


def correction(patch: str | None, stamp: bool) -> "Correction | None":
    """What a user asked for; None where the bytes are to go as they came.

    Raises:
        SelectionError: the patch is no JSON object.
    """
    if not patch and not stamp:
        return None
    return Correction(parse(patch) if patch else {}, stamp)


def merged(target: Any, patch: Any) -> Any:
    """`target` changed as `patch` says: null takes a member away, objects are merged, all else is replaced.

    >>> merged({"a": 1, "meta": {"unit": "C", "x": 1}}, {"a": None, "meta": {"unit": "K"}})
    {'meta': {'unit': 'K', 'x': 1}}
    """
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _microseconds() -> int:
    return time.time_ns() // 1000


@dataclass
class Correction:
    """What is changed in every message. With `stamp` each gets a timestamp of its own: readings of one device, metric
    and time are one reading."""

    patch: Mapping[str, Any]
    stamp: bool = False
    clock: Callable[[], int] = _microseconds
    _last: int = field(default=0, init=False)

    def of(self, payload: bytes | None) -> bytes | None:
        """The message corrected; None where it is no JSON object and so cannot be."""
        message = read_object(payload)
        if message is None:
            return None
        changed = merged(message, self.patch)
        if self.stamp:
            changed["timestamp"] = self._now()
        # Half of a surrogate pair is legal in JSON's escapes and has no UTF-8: such a message keeps its escapes.
        try:
            return json.dumps(changed, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return json.dumps(changed).encode()

    def _now(self) -> str:
        self._last = max(self._last + 1, self.clock())
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self._last)).isoformat()


def read_object(payload: bytes | None) -> dict[str, Any] | None:
    """The JSON object that a message is; None where it is none."""
    try:
        found = json.loads((payload or b"").decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
