"""Alarms as messages of the anomaly topic: the JSON of contracts/schemas/anomaly.avsc."""

import math
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from contracts.detectors import learned
from detection.detectors.missing import Missing
from detection.fleet import Fleet, Silence, Verdicts
from streaming import anomaly_json
from streaming.detect.step import Step

DDL = "key BINARY, value BINARY"
THRESHOLD = 1.0
"""Scores are in units of the limit that was learned for their series."""
CRITICAL = 2.0


def rows(fleet: Fleet, taken: Step, began: Verdicts, silences: list[Silence], detected_at: datetime) -> pd.DataFrame:
    """One row for each alarm that began: `key` and `value` of its message."""
    metrics = [
        fleet.metrics(taken.readings.devices[device])[metric]
        for device, metric in zip(began.device.tolist(), began.metric.tolist(), strict=True)
    ]
    sensors = _sensors(taken, began, metrics)
    messages = [
        (
            _anomaly(fleet.ensemble.names, began, row)
            | {"device_id": taken.readings.devices[device], "sensor_id": sensor, "metric": metric},
            int(began.time[row]),
        )
        for row, (device, sensor, metric) in enumerate(zip(began.device.tolist(), sensors, metrics, strict=True))
    ]
    messages += [(_silence(each), each.last) for each in silences]
    keys = [message["device_id"].encode() for message, _ in messages]
    values = [anomaly_json.encoded(message, micros, detected_at) for message, micros in messages]
    return pd.DataFrame({"key": keys, "value": values}, dtype=object)


def _anomaly(names: tuple[str, ...], began: Verdicts, row: int) -> dict[str, Any]:
    """What the verdict says, without the names of device and metric."""
    micros, score = int(began.time[row]), float(began.score[row])
    figures = {f"score_{name}": value for name, value in zip(names, began.by_detector[row].tolist(), strict=True)}
    figures["since_seconds"] = (micros - int(began.since[row])) / 1e6
    return {
        "value": float(began.value[row]),
        "score": score,
        "threshold": THRESHOLD,
        "detector": learned(names[int(began.detector[row])]),
        "severity": "critical" if score >= CRITICAL * THRESHOLD else "warning",
        # JSON has no number for what is infinite, and a map of figures no null.
        "features": {name: figure for name, figure in figures.items() if math.isfinite(figure)},
    }


def _silence(found: Silence) -> dict[str, Any]:
    """Of a device that stopped sending: its time is that of its last reading, its value the seconds since."""
    return {
        "device_id": found.device,
        "sensor_id": found.device,
        "metric": found.metric,
        "value": found.seconds,
        "score": found.score,
        "threshold": THRESHOLD,
        "detector": learned(Missing.name),
        "severity": "warning",
        "features": {"silent_seconds": found.seconds},
    }


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
