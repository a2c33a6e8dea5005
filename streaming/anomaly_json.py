"""An anomaly as a message of the anomaly topic: the JSON of contracts/schemas/anomaly.avsc."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from contracts import identity
from contracts.avro import field_names

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_SET = {"window_start": None, "window_end": None, "threshold_version": None, "model_version": None}


def encoded(found: Mapping[str, Any], event_micros: int, detected_at: datetime) -> bytes:
    """`found`: the fields that the detector knows. Its id, its time and its day follow from them and `event_micros`
    (microseconds since 1970), so that the same finding made twice has the same id."""
    about = (found["device_id"], found["metric"], event_micros, found["detector"])
    whole = {
        **_NOT_SET,
        **found,
        "anomaly_id": identity.anomaly_id(*about),
        "event_time": text(event_micros),
        "event_date": f"{_time(event_micros):%Y-%m-%d}",
        "is_anomaly": True,
        "detected_at": _text(detected_at.astimezone(UTC)),
    }
    return orjson.dumps({name: whole[name] for name in field_names("anomaly")})


def text(micros: int) -> str:
    """A time of an anomaly as its message has it; `micros`: microseconds since 1970."""
    return _text(_time(micros))


def _time(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _text(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}Z"
