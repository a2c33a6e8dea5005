"""Level: several metrics of one device that leave where they were, each measured by how far it wanders anyway.

    e_c  exponentially weighted mean over about 19 readings of metric c, m_c its reference over about 800
    z_c = |e_c - m_c| / s_c
    raw = (sum over c of min(z_c, 10)^3)^(1/3)

s_c is the deviation that e_c - m_c has while all is normal (`detection.wander`): a metric that drifts by itself, as
temperatures do, gets a wide one and falls silent without being named. A power of three lies between the largest metric
and the sum of squares: a few metrics that agree count more than one, and many that are as usual do not drown them. The
limit is the 99.65 % quantile of that norm for as many independent normal variables. Of a jump a faster mean f_c, over 6
readings, counts one fifth at once.

Fires on valves, leaks and bearings that move several readings a little for long; fails on what lasts less than some ten
readings. When the alarm ends is told by `detection.level_alarm`. Needs two metrics and 256 messages.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detection import level_alarm, regime, wander
from detection.detectors.detector import Block, Bools, Found, State, put
from detection.level_alarm import Course

_LEAST_TRAINING = 256
_SLOW, _FAST = 0.1, 0.3
_CLIP, _CLIP_REFERENCE, _CLIP_FAST = 3.0, 2.0, 100.0
_CAP = 10.0
_JUMP_COUNTS = 1 / 5
_REFERENCE = 1 / 800
_IN_ALARM = 0.1
# Quantiles of the norm of 1, 2, 4, ... independent normal variables at 1 - 0.0035, from two million draws each.
_METRICS = np.log2([1, 2, 4, 8, 16, 32])
_LIMITS = np.array([2.92, 3.20, 3.52, 3.90, 4.38, 5.01])


class Level:
    """State a series: `reference`, `slow`, `fast`: m, e and f; `scale`: s; and those of `wander` and `level_alarm`.

    sensitivity: the limit is divided by it; 1 finds faults as weak as can be told from noise at a false alarm about
    every eight hours on eight metrics of pure noise at one reading a second.
    """

    name: ClassVar[str] = "level"
    per_device: ClassVar[bool] = True
    momentary: ClassVar[bool] = False

    def __init__(self, sensitivity: float = 1.0) -> None:
        self._sensitivity = sensitivity

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        shape = (devices, metrics)
        return {
            "reference": np.zeros(shape),
            "slow": np.zeros(shape),
            "fast": np.zeros(shape),
            "spread": np.zeros(shape),
            "scale": np.full(shape, np.inf),
            "trained": np.zeros(devices, dtype=np.bool_),
            **wander.begin(devices, metrics),
            **level_alarm.begin(devices, metrics),
        }

    def update(self, state: State, block: Block) -> Found:
        devices, metrics = block.value.shape
        nothing = Found(np.zeros((devices, 1)), np.zeros(devices, np.bool_), np.zeros((devices, metrics)))
        if not regime.several(block):
            return nothing
        self._finish_training(state, block)
        trained = state["trained"]
        if not trained.all():
            some = ~trained
            wander.learn(state, block, some)
            if not trained.any():
                return nothing
        moved = self._follow(state, block)
        near = np.minimum(moved.slow, _CAP)
        limit = float(np.interp(np.log2(metrics), _METRICS, _LIMITS)) / self._sensitivity
        norm = level_alarm.norm(near) / limit
        judged = trained & regime.fast(block)
        score = np.where(judged, norm, 0.0)
        alarm, anew = level_alarm.update(state, score, moved, limit, judged)
        self._learn(state, block, alarm, anew)
        contributions = np.where(judged[:, None], near / limit, 0.0)
        return Found(score[:, None], alarm, contributions)

    def _finish_training(self, state: State, block: Block) -> None:
        """The first message after training, and no earlier than 256 are known, sets scale and reference."""
        ready = ~state["trained"] & ~block.training & (state["rows"] >= _LEAST_TRAINING)
        rows = np.flatnonzero(ready)
        if len(rows):
            learned = wander.scales(state, rows)
            state["reference"][rows], state["slow"][rows] = learned.reference, learned.slow
            state["fast"][rows], state["spread"][rows] = learned.fast, learned.spread
            state["scale"][rows] = learned.scale
            state["trained"][rows] = True

    def _follow(self, state: State, block: Block) -> Course:
        reference, spread, scale = state["reference"], state["spread"], state["scale"]
        slow, fast = state["slow"], state["fast"]
        chosen = block.there & state["trained"][:, None]
        near = np.clip(block.value, reference - _CLIP * spread, reference + _CLIP * spread)
        put(slow, chosen, slow + _SLOW * (near - slow))
        width = _CLIP_FAST * np.maximum(spread, np.where(np.isfinite(scale), scale, 0.0))
        put(fast, chosen, fast + _FAST * (np.clip(block.value, reference - width, reference + width) - fast))
        jump = np.abs(fast - reference) / scale
        return Course(np.maximum(np.abs(slow - reference) / scale, _JUMP_COUNTS * jump), jump)

    def _learn(self, state: State, block: Block, alarm: Bools, anew: Bools) -> None:
        """The reference follows slowly; after a recovery or an accepted level it is the mean of what came since."""
        reference, spread, scale = state["reference"], state["spread"], state["scale"]
        away = block.value - reference
        chosen = block.there & state["trained"][:, None]
        pace = np.where(alarm, _REFERENCE * _IN_ALARM, _REFERENCE)[:, None]
        slowly = reference + pace * np.clip(away, -_CLIP_REFERENCE * spread, _CLIP_REFERENCE * spread)
        again, share = level_alarm.relearning(state, anew, alarm)
        base = np.where((share == 1)[:, None], block.value, reference)
        width = _CLIP * np.maximum(spread, np.where(np.isfinite(scale), scale, 0.0))
        mean = base + share[:, None] * np.clip(block.value - base, -width, width)
        put(reference, chosen, np.where(again[:, None], mean, slowly))
        early = chosen & (again & (share > 1 / 10))[:, None]
        put(state["slow"], early, reference)
        put(state["fast"], early, reference)
