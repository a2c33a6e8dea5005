"""Alarms of the autoencoder as messages of the anomaly topic: the JSON of contracts/schemas/anomaly.avsc."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from contracts import identity
from contracts.avro import field_names
from contracts.detectors import LSTM_AUTOENCODER
from detection.models.sequences import FEATURES, WINDOW_MICROS

CRITICAL = 2.0
"""Times the score at which alarms begin."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Alarm:
    """A sequence that is abnormal, the first of an alarm. end: of its last window, microseconds since 1970; figures: of
    that window, as in `FEATURES`. error: of the reconstruction; limit: the model's threshold for it; alarms begin at
    `alarm_at` times that."""

    device_id: str
    metric: str
    end: int
    figures: tuple[float, ...]
    error: float
    limit: float
    alarm_at: float
    model_version: int


def message(alarm: Alarm, detected_at: datetime) -> tuple[bytes, bytes]:
    """Key and value. The same sequence judged twice has the same id."""
    end = _EPOCH + timedelta(microseconds=alarm.end)
    score = alarm.error / alarm.limit
    figures = {"error": alarm.error, "error_limit": alarm.limit, **dict(zip(FEATURES, alarm.figures, strict=True))}
    whole = {
        "anomaly_id": identity.anomaly_id(alarm.device_id, alarm.metric, alarm.end, LSTM_AUTOENCODER),
        "device_id": alarm.device_id,
        # Windows do not know which sensor of a device sent their readings.
        "sensor_id": alarm.device_id,
        "metric": alarm.metric,
        "event_time": _text(end),
        "window_start": _text(end - timedelta(microseconds=WINDOW_MICROS)),
        "window_end": _text(end),
        "value": figures["mean"],
        "score": score,
        "threshold": alarm.alarm_at,
        "detector": LSTM_AUTOENCODER,
        "severity": "critical" if score >= CRITICAL * alarm.alarm_at else "warning",
        "is_anomaly": True,
        "features": figures,
        "threshold_version": None,
        "model_version": str(alarm.model_version),
        "detected_at": _text(detected_at.astimezone(UTC)),
        "event_date": f"{end:%Y-%m-%d}",
    }
    return alarm.device_id.encode(), orjson.dumps({name: whole[name] for name in field_names("anomaly")})


def _text(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}Z"
