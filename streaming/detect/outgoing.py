"""Alarms as messages of the anomaly topic: the JSON of contracts/schemas/anomaly.avsc."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pandas as pd

from contracts import identity
from contracts.avro import field_names
from contracts.detectors import learned
from detection.detectors.missing import Missing
from detection.fleet import Fleet, Silence, Verdicts
from streaming.detect.step import Step

DDL = "key BINARY, value BINARY"
THRESHOLD = 1.0
"""Scores are in units of the limit that was learned for their series."""
CRITICAL = 2.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rows(fleet: Fleet, taken: Step, began: Verdicts, silences: list[Silence], detected_at: datetime) -> pd.DataFrame:
    """One row for each alarm that began: `key` and `value` of its message."""
    metrics = [
        fleet.metrics(taken.readings.devices[device])[metric]
        for device, metric in zip(began.device.tolist(), began.metric.tolist(), strict=True)
    ]
    sensors = _sensors(taken, began, metrics)
    messages = [
        _anomaly(fleet.ensemble.names, began, row)
        | {"device_id": taken.readings.devices[device], "sensor_id": sensor, "metric": metric}
        for row, (device, sensor, metric) in enumerate(zip(began.device.tolist(), sensors, metrics, strict=True))
    ]
    messages += [_silence(each) for each in silences]
    keys = [message["device_id"].encode() for message in messages]
    values = [_json(message, detected_at) for message in messages]
    return pd.DataFrame({"key": keys, "value": values}, dtype=object)


def _anomaly(names: tuple[str, ...], began: Verdicts, row: int) -> dict[str, Any]:
    """What the verdict says, without the names of device and metric."""
    micros, score = int(began.time[row]), float(began.score[row])
    figures = {f"score_{name}": value for name, value in zip(names, began.by_detector[row].tolist(), strict=True)}
    figures["since_seconds"] = (micros - int(began.since[row])) / 1e6
    time = _EPOCH + timedelta(microseconds=micros)
    return {
        "event_time": _text(time),
        "event_micros": micros,
        "window_start": None,
        "window_end": None,
        "value": float(began.value[row]),
        "score": score,
        "threshold": THRESHOLD,
        "detector": learned(names[int(began.detector[row])]),
        "severity": "critical" if score >= CRITICAL * THRESHOLD else "warning",
        "is_anomaly": True,
        # JSON has no number for what is infinite, and a map of figures no null.
        "features": {name: figure for name, figure in figures.items() if math.isfinite(figure)},
        "threshold_version": None,
        "model_version": None,
        "event_date": f"{time:%Y-%m-%d}",
    }


def _silence(found: Silence) -> dict[str, Any]:
    """Of a device that stopped sending: its time is that of its last reading, its value the seconds since."""
    time = _EPOCH + timedelta(microseconds=found.last)
    return {
        "device_id": found.device,
        "sensor_id": found.device,
        "metric": found.metric,
        "event_time": _text(time),
        "event_micros": found.last,
        "window_start": None,
        "window_end": None,
        "value": found.seconds,
        "score": found.score,
        "threshold": THRESHOLD,
        "detector": learned(Missing.name),
        "severity": "warning",
        "is_anomaly": True,
        "features": {"silent_seconds": found.seconds},
        "threshold_version": None,
        "model_version": None,
        "event_date": f"{time:%Y-%m-%d}",
    }


def _json(message: dict[str, Any], detected_at: datetime) -> bytes:
    about = (message["device_id"], message["metric"], message["event_micros"], message["detector"])
    whole = message | {"anomaly_id": identity.anomaly_id(*about), "detected_at": _text(detected_at)}
    return orjson.dumps({name: whole[name] for name in field_names("anomaly")})


def _sensors(taken: Step, began: Verdicts, metrics: list[str]) -> list[str]:
    """The sensor that sent the reading of each alarm; the device itself, where there is none."""
    wanted = set(zip(began.device.tolist(), began.time.tolist(), strict=True))
    readings = taken.readings
    near = np.flatnonzero(np.isin(readings.device, began.device))
    found = {}
    for row in near.tolist():
        device, time = int(readings.device[row]), int(readings.time[row])
        if (device, time) in wanted:
            found[device, time, readings.metrics[readings.metric[row]]] = taken.sensors[taken.sensor[row]]
    return [
        found.get((device, time, metric), readings.devices[device])
        for device, time, metric in zip(began.device.tolist(), began.time.tolist(), metrics, strict=True)
    ]


def _text(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}Z"
