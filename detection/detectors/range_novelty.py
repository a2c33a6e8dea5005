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

from detection import compression, extent, records
from detection.detectors.detector import Block, Found, State
from detection.records import Records

_MEAN_OF = 20
_STREAMS = 2


class RangeNovelty:
    """State a series: a ring of 20 y and their sum, the extent of two streams, and that of `Records`."""

    name: ClassVar[str] = "range_novelty"
    per_device: ClassVar[bool] = False
    momentary: ClassVar[bool] = False

    def __init__(self) -> None:
        self._records = Records()

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        shape = (devices, metrics)
        return {
            "ring": np.zeros((*shape, _MEAN_OF)),
            "sum": np.zeros(shape),
            **extent.begin(*shape, _STREAMS),
            **self._records.begin(devices, metrics),
        }

    def update(self, state: State, block: Block) -> Found:
        devices = records.looked_for(block)
        if not devices.any():
            return Found.nothing(block)
        y, there = compression.compressed(state, block, devices)
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
        certain = (np.where(excess > 0, deviations, 0.0).max(axis=-1) >= records.CERTAIN) | (raw >= records.LARGE)
        return self._records.judge(state, block, raw, there, certain)
