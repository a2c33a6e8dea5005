"""Alarms of the autoencoder as messages of the anomaly topic: the JSON of contracts/schemas/anomaly.avsc."""

from dataclasses import dataclass
from datetime import datetime

from contracts.detectors import LSTM_AUTOENCODER
from detection.models.sequences import FEATURES, WINDOW_MICROS
from streaming import anomaly_json

CRITICAL = 2.0
"""Times the score at which alarms begin."""


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
    score = alarm.error / alarm.limit
    figures = {"error": alarm.error, "error_limit": alarm.limit, **dict(zip(FEATURES, alarm.figures, strict=True))}
    found = {
        "device_id": alarm.device_id,
        # Windows do not know which sensor of a device sent their readings.
        "sensor_id": alarm.device_id,
        "metric": alarm.metric,
        "window_start": anomaly_json.text(alarm.end - WINDOW_MICROS),
        "window_end": anomaly_json.text(alarm.end),
        "value": figures["mean"],
        "score": score,
        "threshold": alarm.alarm_at,
        "detector": LSTM_AUTOENCODER,
        "severity": "critical" if score >= CRITICAL * alarm.alarm_at else "warning",
        "features": figures,
        "model_version": str(alarm.model_version),
    }
    return alarm.device_id.encode(), anomaly_json.encoded(found, alarm.end, detected_at)
