"""Alarms as messages of the anomaly topic: the JSON of contracts/schemas/anomaly.avsc."""

import math
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from contracts.detectors import ISOLATION_FOREST, learned
from detection.detectors.missing import Missing
from detection.fleet import Fleet, Silence, Verdicts
from streaming import anomaly_json
from streaming.detect.forest import Ringing
from streaming.detect.step import Step

DDL = "key BINARY, value BINARY"
THRESHOLD = 1.0
"""Scores are in units of the limit that was learned for their series."""
CRITICAL = 2.0


def rows(
    fleet: Fleet,
    taken: Step,
    began: Verdicts,
    silences: list[Silence],
    detected_at: datetime,
    *,
    by_forest: Ringing | None = None,
) -> pd.DataFrame:
    """One row for each alarm that began: `key` and `value` of its message."""
    names = fleet.ensemble.names
    messages = _about(fleet, taken, began, [_anomaly(names, began, row) for row in range(len(began.time))])
    messages += [(_silence(each), each.last) for each in silences]
    if by_forest is not None:
        found = by_forest.verdicts
        said = [_by_forest(names, by_forest, row) for row in range(len(found.time))]
        messages += _about(fleet, taken, found, said)
    keys = [message["device_id"].encode() for message, _ in messages]
    values = [anomaly_json.encoded(message, micros, detected_at) for message, micros in messages]
    return pd.DataFrame({"key": keys, "value": values}, dtype=object)


def _about(
    fleet: Fleet, taken: Step, verdicts: Verdicts, said: list[dict[str, Any]]
) -> list[tuple[dict[str, Any], int]]:
    """What was said of each verdict, with the names of device, sensor and metric; and its time."""
    metrics = [
        fleet.metrics(taken.readings.devices[device])[metric]
        for device, metric in zip(verdicts.device.tolist(), verdicts.metric.tolist(), strict=True)
    ]
    sensors = _sensors(taken, verdicts, metrics)
    return [
        (found | {"device_id": taken.readings.devices[device], "sensor_id": sensor, "metric": metric}, int(time))
        for found, device, time, sensor, metric in zip(
            said, verdicts.device.tolist(), verdicts.time.tolist(), sensors, metrics, strict=True
        )
    ]


def _anomaly(names: tuple[str, ...], began: Verdicts, row: int) -> dict[str, Any]:
    """What the verdict says, without the names of device and metric."""
    score = float(began.score[row])
    return {
        "value": float(began.value[row]),
        "score": score,
        "threshold": THRESHOLD,
        "detector": learned(names[int(began.detector[row])]),
        "severity": "critical" if score >= CRITICAL * THRESHOLD else "warning",
        "features": _figures(names, began, row)
        | {"since_seconds": (int(began.time[row]) - int(began.since[row])) / 1e6},
    }


def _by_forest(names: tuple[str, ...], found: Ringing, row: int) -> dict[str, Any]:
    """The same of a message that the forest rings for. Its score lies between 0 and 1 whatever happens, so there is no
    twice of it that would be critical; metric and value are those that the highest detector names."""
    return {
        "value": float(found.verdicts.value[row]),
        "score": float(found.score[row]),
        "threshold": found.threshold,
        "detector": ISOLATION_FOREST,
        "severity": "warning",
        "features": _figures(names, found.verdicts, row),
        "model_version": str(found.version),
    }


def _figures(names: tuple[str, ...], verdicts: Verdicts, row: int) -> dict[str, float]:
    figures = {f"score_{name}": value for name, value in zip(names, verdicts.by_detector[row].tolist(), strict=True)}
    # JSON has no number for what is infinite, and a map of figures no null.
    return {name: figure for name, figure in figures.items() if math.isfinite(figure)}


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
