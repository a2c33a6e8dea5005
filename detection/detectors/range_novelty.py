"""Range novelty: readings, or means of 20 of them, beyond everything that the series has shown so far.

    raw = excess over the extent (detection.extent) of y and of the mean of the last 20 y, the greater of the two
    y   = the reading, compressed (detection.compression)

Records fade (`detection.fading`). Judges single metrics that are reported seldom, after half a day: there the past is
the only measure. The limit falls with the time between readings to about as many records an hour: 0.0085 from five
minutes on; an alarm takes five robust deviations besides, or a quarter of the width. Fires on new extremes and on new
lasting levels; fails on what is unusual only for its time of day (`hour_of_day`), or smaller than what was before.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detection import compression, extent, fading, regime
from detection.alarms import Hysteresis
from detection.detectors.detector import Block, Floats, Found, State

_MEAN_OF = 20
_STREAMS = 2
_KNOWN = 60
_LIMIT, _LIMIT_SECONDS, _LIMIT_POWER = 0.0085, 300.0, 0.6
_MOST = 1e6
CERTAIN, LARGE = 5.0, 0.25
"""A record is an alarm from five robust deviations from the mean on, or a quarter of the width beyond it. Every series
sets records, on pure noise one in n / 2 readings: those rank high and ring nobody."""


def limit(interval: Floats) -> Floats:
    """The raw score that is an alarm, by seconds between messages, shape (n, 1): shorter steps give more chances an
    hour for a record, each of them smaller."""
    faster = np.maximum(_LIMIT_SECONDS / np.clip(interval, 1e-3, _LIMIT_SECONDS), 1.0)
    found: Floats = (_LIMIT * faster**_LIMIT_POWER)[:, None]
    return found


class RangeNovelty:
    """State a series: a ring of 20 y and their sum, the extent of two streams, and those of `fading`, `compression`
    and the alarm rule."""

    name: ClassVar[str] = "range_novelty"
    per_device: ClassVar[bool] = False
    momentary: ClassVar[bool] = False

    def __init__(self) -> None:
        self._hysteresis = Hysteresis(hold=1)

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        shape = (devices, metrics)
        return {
            "ring": np.zeros((*shape, _MEAN_OF)),
            "sum": np.zeros(shape),
            "readings": np.zeros(shape, dtype=np.int32),
            **extent.begin(*shape, _STREAMS),
            **compression.begin(devices, metrics),
            **fading.begin(devices, metrics),
            **self._hysteresis.begin(devices),
        }

    def update(self, state: State, block: Block) -> Found:
        judged = regime.slow(block) & (not regime.several(block))
        if not judged.any():
            return Found.nothing(block)
        y, there = compression.compressed(state, block, judged)
        readings, total = state["readings"], state["sum"]
        device, metric = np.nonzero(there)
        place = readings[device, metric] % _MEAN_OF
        total[device, metric] += y[device, metric] - state["ring"][device, metric, place]
        state["ring"][device, metric, place] = y[device, metric]
        readings += there
        streams = np.stack([y, total / _MEAN_OF], axis=-1)
        use = np.stack([there, there & (readings >= _MEAN_OF)], axis=-1)
        excess, deviations = extent.excess(state, streams, use)
        raw = excess.max(axis=-1)
        counts = fading.faded(state, np.where(readings > _KNOWN, raw, 0.0), there)
        judged &= regime.known_for_long(block) & ~block.training
        score = np.where(judged[:, None], np.minimum(counts / limit(block.interval), _MOST), 0.0)
        certain = (np.where(excess > 0, deviations, 0.0).max(axis=-1) >= CERTAIN) | (raw >= LARGE)
        alarm = self._hysteresis.update(state, np.where(certain, score, 0.0).max(axis=1), ~block.training)
        return Found(score, alarm, score)
