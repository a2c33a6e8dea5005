"""Hour of day: readings that are unusual for their time of day, more than any before.

    away = |y - usual y of this quarter of an hour|       (96 a day, UTC; a mean over about 7 days)
    raw  = (away - most) / 2 (highest - lowest of y)      most: the largest `away` so far, fading over 32,000 readings

A series without a daily round has large distances all the time, so its own record keeps it silent. Within 2.5 robust
deviations of the mean distance there is no record. y, fading, limit and which devices are judged are those of
`range_novelty`. Fires on a day that is flat, an hour that is missed, a night that is busy; fails in the first days.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detection import compression, extent, records
from detection.detectors.detector import Block, Found, State, put
from detection.records import Records

_TIMES = 96
_DAYS = 7
_GATE, _MEAN_DISTANCE = 2.5, 1.25
_MEMORY = 2000
_CLIP = 5.0
_FADES = 1 / 32_000
_WEIGHT = 0.5


class HourOfDay:
    """State a series: `usual` and `days` of each quarter of an hour; `most`, `distance`; the extent of y; and that of
    `Records`."""

    name: ClassVar[str] = "hour_of_day"
    per_device: ClassVar[bool] = False
    momentary: ClassVar[bool] = False

    def __init__(self) -> None:
        self._records = Records()

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        shape = (devices, metrics)
        return {
            "usual": np.zeros((*shape, _TIMES), dtype=np.float32),
            "days": np.zeros((*shape, _TIMES), dtype=np.int8),
            "most": np.zeros(shape),
            "away": np.zeros(shape),
            **extent.begin(*shape),
            **self._records.begin(devices, metrics),
        }

    def update(self, state: State, block: Block) -> Found:
        devices = records.looked_for(block)
        if not devices.any():
            return Found.nothing(block)
        y, there = compression.compressed(state, block, devices)
        most, usual_away, readings = state["most"], state["away"], state["readings"]
        device = np.arange(len(y))[:, None]
        metric = np.arange(y.shape[1])[None, :]
        time = (block.hour * (_TIMES / 24)).astype(np.int64)[:, None]
        usual, days = state["usual"][device, metric, time], state["days"][device, metric, time]
        readings += there
        known = there & (days >= 1)
        away = np.where(known, np.abs(y - usual), 0.0)
        before = extent.width(state)
        record = np.where(np.isfinite(before), np.maximum(away - most, 0) / (np.maximum(before, 0) + 1e-9), 0.0)
        usual_before = usual_away.copy()
        record[away < _GATE * _MEAN_DISTANCE * usual_before] = 0.0
        clipped = np.where(usual_away > 0, np.minimum(away, _CLIP * usual_away), away)
        put(usual_away, known, usual_away + (clipped - usual_away) / np.clip(readings, 1, _MEMORY))
        put(most, there, np.maximum(most * (1 - _FADES), away))
        after = usual + np.where(there, (y - usual) / np.minimum(days + 1, _DAYS), 0.0)
        state["usual"][device, metric, time] = after
        state["days"][device, metric, time] = np.where(there, np.minimum(days + 1, 100), days)
        extent.excess(state, y, there)
        far = away >= records.CERTAIN * _MEAN_DISTANCE * usual_before
        return self._records.judge(state, block, _WEIGHT * record, there, far | (record >= records.LARGE))
