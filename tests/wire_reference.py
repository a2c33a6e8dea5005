"""docs/wire-format.md once more, in plain Python and without haste: what the decoder of the stream is held against.

It shares no code with streaming/decoder/Decoder.java, not even the JSON parser.
"""

import json
import math
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

REASONS = {
    *("malformed", "oversize", "missing_field", "wrong_type"),
    *("non_finite_value", "bad_timestamp", "future_timestamp", "too_old"),
}
DEEPEST = 1000
MOST_DIGITS = 1000
LONGEST_NAME = 512
MOST_METRICS = 10_000
LONGEST_KEY = 50_000  # bytes
FUTURE = 5 * 60 * 1_000_000
TOO_OLD = 7 * 86_400 * 1_000_000
KNOWN = {"device_id", "sensor_id", "timestamp", "metric", "value", "meta", "location", "unit"}
_STRING = r'"(?:[^"\\]|\\.)*"'
_SIGNED_INFINITY = re.compile(rf"({_STRING})|(?:[+-]INF|\+Infinity)(?!\w)", re.DOTALL)
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)", re.ASCII
)


class Rejected(Exception):  # noqa: N818 - a verdict, not an error
    """A message is no reading; the reason is the text."""


class Late(Rejected):
    """Its time is too far from that of its arrival."""


@dataclass(frozen=True, order=True)
class Reading:
    device: str
    sensor: str
    metric: str
    micros: int
    value: float
    unit: str
    location: str


def judge(message: bytes | None, received: int, largest: int) -> list[Reading]:
    """The readings of a message; received: microseconds since 1970. `unit` and `location` are "" where there is none.

    Raises:
        Rejected: it is a dead letter.
    """
    if not message:
        raise Rejected("malformed")
    if len(message) > largest:
        raise Rejected("oversize")
    fields = _object(message)
    single = "metric" in fields or "value" in fields
    raw_meta = fields.get("meta")
    meta = raw_meta if isinstance(raw_meta, dict) else {}
    metrics = {name: value for name, value in fields.items() if name not in KNOWN and value is not None}
    kept = [fields.get(name) for name in ("device_id", "sensor_id", "metric", "location", "unit")]
    kept += [meta.get("location"), meta.get("unit")]
    if any(isinstance(text, str) and _broken(text) for text in kept):
        raise Rejected("malformed")
    names = [fields.get("device_id"), fields.get("sensor_id"), fields.get("location"), meta.get("location")]
    names += [fields.get("metric"), fields.get("unit"), meta.get("unit")] if single else metrics
    if any(isinstance(name, str) and _units(name) > LONGEST_NAME for name in names):
        raise Rejected("oversize")
    if not single and sum(isinstance(value, float) for value in metrics.values()) > MOST_METRICS:
        raise Rejected("oversize")
    device, sensor = _ids(fields, single)
    given = _present(fields, "timestamp")
    if isinstance(given, bool) or not isinstance(given, str | float):
        raise Rejected("wrong_type:timestamp")
    values = _one(fields) if single else _many(metrics)
    if not all(map(math.isfinite, values.values())):
        raise Rejected("non_finite_value")
    micros = _micros(given)
    if micros is None:
        raise Rejected("bad_timestamp")
    if micros > received + FUTURE:
        raise Late("future_timestamp")
    if micros < received - TOO_OLD:
        raise Late("too_old")
    unit = (_text(meta.get("unit")) or _text(fields.get("unit"))) if single else ""
    location = _text(meta.get("location")) or _text(fields.get("location"))
    return [Reading(device, sensor, metric, micros, value, unit, location) for metric, value in values.items()]


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Python's own parser goes one call deeper with each bracket."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(before + 4 * DEEPEST)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _object(message: bytes) -> dict[str, Any]:
    try:
        text = message.decode("utf-8").removeprefix("\ufeff")
        if _depth(text) > DEEPEST:
            raise Rejected("malformed")
        # A sign before an infinity is not what Python calls it.
        text = _SIGNED_INFINITY.sub(lambda found: found[1] or "Infinity", text)
        fields = json.loads(text, object_pairs_hook=_once, parse_int=_number, parse_float=_number, parse_constant=float)
    except ValueError:
        raise Rejected("malformed") from None
    if not isinstance(fields, dict):
        raise Rejected("malformed")
    return fields


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", re.sub(_STRING, "", text, flags=re.DOTALL)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name twice")
    if any(len(name.encode()) > LONGEST_KEY for name, _ in pairs):  # and half a surrogate pair is no UTF-8
        raise ValueError("a name of too many bytes")
    return dict(pairs)


def _number(literal: str) -> float:
    if sum(character.isdigit() for character in literal) > MOST_DIGITS:
        raise ValueError("too many digits")
    return float(literal)


def _broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _present(fields: dict[str, Any], name: str) -> Any:
    if fields.get(name) is None:
        raise Rejected(f"missing_field:{name}")
    return fields[name]


def _ids(fields: dict[str, Any], single: bool) -> tuple[str, str]:
    for name in ("device_id", "sensor_id"):
        if not isinstance(fields.get(name), str | None):
            raise Rejected(f"wrong_type:{name}")
    device, sensor = fields.get("device_id") or "", fields.get("sensor_id") or ""
    if not device and not sensor:
        raise Rejected("missing_field:sensor_id" if single else "missing_field:device_id")
    return device or sensor, sensor or device


def _one(fields: dict[str, Any]) -> dict[str, float]:
    metric = fields.get("metric")
    if not isinstance(metric, str | None):
        raise Rejected("wrong_type:metric")
    if not metric:
        raise Rejected("missing_field:metric")
    value = _present(fields, "value")
    if not isinstance(value, float):
        raise Rejected("wrong_type:value")
    return {metric: value}


def _many(metrics: dict[str, Any]) -> dict[str, float]:
    for name, value in metrics.items():
        if not isinstance(value, float):
            raise Rejected(f"wrong_type:{name}")
    if not metrics or "" in metrics:
        raise Rejected("missing_field:metric")
    return metrics


def _micros(given: str | float) -> int | None:
    if isinstance(given, str):
        return _iso(given)
    size = abs(given)
    if not size < 1e17:
        return None
    return math.floor(Fraction(given * (1e6 if size < 1e11 else 1e3 if size < 1e14 else 1)) + Fraction(1, 2))


def _iso(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute = (int(found[place]) for place in range(1, 6))
    second, fraction = int(found[6] or 0), int((found[7] or "").ljust(6, "0")[:6])
    zone_hour, zone_minute = int(found[9] or 0), int(found[10] or 0)
    if hour > 23 or max(minute, second, zone_minute) > 59 or zone_hour * 60 + zone_minute > 18 * 60:
        return None
    try:  # Python has no year 0; the calendar repeats every 400 years, which are 146,097 days
        days = date(year + 400, month, day).toordinal() - 146_097 if year + 400 <= 9999 else None
        days = date(year, month, day).toordinal() if days is None else days
    except ValueError:
        return None
    zone = (-1 if found[8] == "-" else 1) * (zone_hour * 60 + zone_minute)
    minutes = ((days - date(1970, 1, 1).toordinal()) * 24 + hour) * 60 + minute - zone
    return (minutes * 60 + second) * 1_000_000 + fraction
