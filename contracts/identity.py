"""Deterministic ids: the same reading or verdict has the same id wherever and however often it is computed.

`streaming/identity.py` computes the same in Spark; a test compares the two.
"""

import hashlib

SEPARATOR = "\x1f"
LENGTH = 32


def reading_id(device_id: str, sensor_id: str, metric: str, event_time_micros: int) -> str:
    """Id of a reading; `event_time_micros` counts microseconds since 1970-01-01 UTC."""
    return _digest(device_id, sensor_id, metric, str(event_time_micros))


def anomaly_id(device_id: str, metric: str, event_time_micros: int, detector: str) -> str:
    """Id of one detector's verdict on one reading."""
    return _digest(device_id, metric, str(event_time_micros), detector)


def _digest(*parts: str) -> str:
    return hashlib.sha256(SEPARATOR.join(parts).encode()).hexdigest()[:LENGTH]
