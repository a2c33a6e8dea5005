"""What becomes of records: which devices they are looked for in, how high they score, and which of them ring.

Single metrics that are reported seldom, after half a day: there the past is the only measure. Records fade
(`detection.fading`). The limit falls with the time between readings to about as many records an hour.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection import compression, fading, regime
from detection.alarms import Hysteresis
from detection.detectors.detector import Block, Bools, Floats, Found, State
from detection.limited import MOST

CERTAIN, LARGE = 5.0, 0.25
"""A record is an alarm from five robust deviations from the mean on, or a quarter of the width beyond it. Every series
sets records, on pure noise one in n / 2 readings: those rank high and ring nobody."""
_KNOWN = 60
_LIMIT, _LIMIT_SECONDS, _LIMIT_POWER = 0.0085, 300.0, 0.6


def looked_for(block: Block) -> Bools:
    """Devices that records are looked for in, shape (n,)."""
    found: Bools = regime.slow(block) & (not regime.several(block))
    return found


def limit(interval: Floats) -> Floats:
    """The raw score that is an alarm, by seconds between messages, shape (n, 1): shorter steps give more chances an
    hour for a record, each of them smaller."""
    faster = np.maximum(_LIMIT_SECONDS / np.clip(interval, 1e-3, _LIMIT_SECONDS), 1.0)
    found: Floats = (_LIMIT * faster**_LIMIT_POWER)[:, None]
    return found


class Records:
    """State a series: `readings`, and those of `compression`, `fading` and the alarm rule."""

    def __init__(self) -> None:
        self._hysteresis = Hysteresis(hold=1)

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        return {
            "readings": np.zeros((devices, metrics), dtype=np.int32),
            **compression.begin(devices, metrics),
            **fading.begin(devices, metrics),
            **self._hysteresis.begin(devices),
        }

    def judge(self, state: State, block: Block, raw: Floats, there: Bools, certain: Bools) -> Found:
        """raw: by how much each reading is a record, shape (n, k). there: which readings count. certain: which records
        may ring."""
        counts = fading.faded(state, np.where(state["readings"] > _KNOWN, raw, 0.0), there)
        judged = looked_for(block) & regime.known_for_long(block) & ~block.training
        score = np.where(judged[:, None], np.minimum(counts / limit(block.interval), MOST), 0.0)
        alarm = self._hysteresis.update(state, np.where(certain, score, 0.0).max(axis=1), ~block.training)
        return Found(score, alarm, score)
