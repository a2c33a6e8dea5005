"""The two JSON shapes that sensorlake accepts, as bytes.

The simulator fills prepared templates with `%`, which costs a fraction of building and encoding a dictionary a message.
"""

from functools import lru_cache

import numpy as np
import orjson
from numpy.typing import NDArray

SECOND = 1_000_000
FIELDS = frozenset(("device_id", "sensor_id", "timestamp", "metric", "value", "meta", "location", "unit"))
"""What means something else than a metric where many stand in one message."""


def timestamps(micros: NDArray[np.int64]) -> list[bytes]:
    """ISO 8601 in UTC with microseconds, for example b"2026-01-31T08:00:00.000250Z"."""
    seconds, rest = np.divmod(micros, SECOND)
    return [b"%b.%06dZ" % (_stem(second), part) for second, part in zip(seconds.tolist(), rest.tolist(), strict=True)]


def timestamp(micros: int) -> str:
    """One time in the same form."""
    second, part = divmod(micros, SECOND)
    return f"{_stem(second).decode()}.{part:06d}Z"


@lru_cache(maxsize=4096)
def _stem(second: int) -> bytes:
    return str(np.datetime64(second, "s")).encode()


def single(sensor: str, time: str, metric: str, value: float, *, unit: str | None, location: str | None) -> bytes:
    """One metric in one message."""
    meta = {name: text for name, text in (("unit", unit), ("location", location)) if text}
    body: dict[str, object] = {"sensor_id": sensor, "timestamp": time, "metric": metric, "value": value}
    return orjson.dumps({**body, "meta": meta} if meta else body)


def multi(device: str, time: str, values: dict[str, float], location: str | None) -> bytes:
    """Many metrics in one message; each becomes a reading of its own."""
    body: dict[str, object] = {"device_id": device, "timestamp": time, **values}
    return orjson.dumps({**body, "location": location} if location else body)


def single_template(sensor: str, metric: str, decimals: int, unit: str, location: str) -> tuple[bytes, bytes]:
    """A template to be filled with (timestamp, value, tail), and the tail."""
    head = b'{"sensor_id":%b,"timestamp":"' % _quoted(sensor)
    middle = b'","metric":%b,"value":' % _quoted(metric)
    tail = b',"meta":{"unit":%b,"location":%b}}' % (_quoted(unit), _quoted(location))
    return _template(head, middle, decimals), tail


def multi_template(device: str, metric: str, decimals: int, location: str) -> tuple[bytes, bytes]:
    """The same for the multi-metric form; `condition` goes before the tail."""
    head = b'{"device_id":%b,"timestamp":"' % _quoted(device)
    middle = b'",%b:' % _quoted(metric)
    return _template(head, middle, decimals), b',"location":%b}' % _quoted(location)


def condition(battery: float, signal: float) -> bytes:
    """Battery (%) and signal (dBm) of the multi-metric form."""
    return b',"battery":%.1f,"signal":%d' % (battery, signal)


def _quoted(text: str) -> bytes:
    return orjson.dumps(text)


def _template(head: bytes, middle: bytes, decimals: int) -> bytes:
    return head.replace(b"%", b"%%") + b"%b" + middle.replace(b"%", b"%%") + b"%%.%df%%b" % decimals
