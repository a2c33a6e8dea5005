"""Spike: a reading far from the level of the readings just before it, measured by the noise between readings.

    z = |x - level| / (1.03 deviation)        (detection.reference; 1.03: the level itself has a little noise)

The limit is the distance that normal noise goes beyond once in 1/rate readings. Noise is seldom normal, so its tail is
measured: t is the mean excess of z over 2, which is 0.373 for a normal distribution and grows with heavier tails. From
0.373 to 0.6 the limit goes from the normal one to the exponential tail's, 2 + t ln(0.0455 / rate), and on along that
(mean excess: Davison and Smith, Journal of the Royal Statistical Society B 52(3), 1990). The fewer readings are known,
the wider. Fires on single wrong readings and on steps; fails on
what comes slowly. A level that stays is taken as the new one after 8 readings.
"""

from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detection import regime
from detection.detectors.detector import Block, Floats, Found, State, put
from detection.probation import Probation
from detection.reference import ARMED

_NORMAL_EXCESS = 0.373
_HEAVY_EXCESS = 0.6
_FIRST_EXCESS = 0.42
_BEYOND_TWO = 0.0455


class Spike:
    """State a series: `excess`, mean excess over 2; `beyond`, share of readings beyond 2; and its probation."""

    name: ClassVar[str] = "spike"
    per_device: ClassVar[bool] = False
    momentary: ClassVar[bool] = True

    def __init__(self, rate: float) -> None:
        self._normal = -NormalDist().inv_cdf(rate / 2)
        self._span = float(np.log(_BEYOND_TWO / rate))
        self._probation = Probation()

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        shape = (devices, metrics)
        return {
            "excess": np.full(shape, _FIRST_EXCESS),
            "beyond": np.full(shape, _BEYOND_TWO),
            **self._probation.begin(devices, metrics),
        }

    def update(self, state: State, block: Block) -> Found:
        fast = regime.fast(block)
        if not fast.any():
            return Found.nothing(block)
        excess, beyond = state["excess"], state["beyond"]
        z = np.abs(block.value - block.level) / (1.03 * block.deviation)
        judged = block.there & (block.seen >= ARMED) & fast[:, None]
        score = np.where(judged, z / self._limit(excess, block.seen), 0.0)
        pace = np.where(block.calm & (score <= 1), np.where(block.unrest > 2.5, 0.05, 1.0), 0.01)
        far = z > 2
        gain = pace * np.maximum(1 / 2000, 1 / (block.seen + 50))
        put(beyond, judged, beyond + gain * (far - beyond))
        gain = pace * np.maximum(1 / 200, 1 / (block.seen * beyond + 20))
        put(excess, judged & far, excess + gain * (np.minimum(z, 5) - 2 - excess))
        return self._probation.judge(state, block, score)

    def _limit(self, excess: Floats, seen: NDArray[np.int64]) -> Floats:
        exponential = 2 + excess * self._span
        heavy = 2 + _HEAVY_EXCESS * self._span
        between = (np.maximum(excess, _NORMAL_EXCESS) - _NORMAL_EXCESS) / (_HEAVY_EXCESS - _NORMAL_EXCESS)
        limit = np.where(excess > _HEAVY_EXCESS, exponential, self._normal + between * (heavy - self._normal))
        widened: Floats = limit * (1.09 + 15 / np.maximum(seen, 10))
        return widened
