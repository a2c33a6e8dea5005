"""Level: several metrics of one device that leave where they were, each measured by how far it wanders anyway.

    e_c  exponentially weighted mean over about 19 readings of metric c, m_c its reference over about 800
    z_c = |e_c - m_c| / s_c
    raw = (sum over c of min(z_c, 10)^3)^(1/3)

s_c is the deviation that e_c - m_c has while all is normal (`detection.wander`): a metric that drifts by itself, as
temperatures do, gets a wide one and falls silent without being named. A power of three lies between the largest metric
and the sum of squares: a few metrics that agree count more than one, and many that are as usual do not drown them. The
limit is the 99.77 % quantile of that norm for as many independent normal variables. Of a jump a faster mean f_c, over 6
readings, counts one fifth at once.

Training rows that somebody declared normal, 256 at least, are believed. A device that started by itself may be in
the middle of a cycle that it has shown a part of: its scale is learned from 512 messages, and it is judged after
4,500, by a limit a tenth above the highest norm of its own past (over blocks of 300, known one block late).

Fires on valves, leaks and bearings that move several readings a little for long; fails on what lasts less than some ten
readings. When the alarm ends is told by `detection.level_alarm`. Needs two metrics.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detection import level_alarm, regime, wander
from detection.detectors.detector import Block, Bools, Floats, Found, State, put
from detection.level_alarm import Course

_BY_ITSELF = 512
_JUDGED_FROM = 4500
_BLOCK = 300
_ABOVE, _GROWTH = 1.1, 0.1
_SLOW, _FAST = 0.1, 0.3
_CLIP, _CLIP_REFERENCE, _CLIP_FAST = 3.0, 2.0, 100.0
_CAP = 10.0
_JUMP_COUNTS = 1 / 5
_REFERENCE = 1 / 800
_IN_ALARM = 0.1
# Quantiles of the norm of 1, 2, 4, ... independent normal variables at 1 - 0.0023, from two million draws each.
_METRICS = np.log2([1, 2, 4, 8, 16, 32])
_LIMITS = np.array([3.05, 3.32, 3.63, 4.00, 4.47, 5.09])


class Level:
    """State a series: `reference`, `slow`, `fast`: m, e and f; `scale`: s; a device: `most`, `block`, `block_before`:
    the highest norms of the past, of this block and of the one before; and those of `wander` and `level_alarm`.

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
            "judged": np.zeros(devices, dtype=np.int32),
            "most": np.zeros(devices),
            "block": np.zeros(devices),
            "block_before": np.zeros(devices),
            **wander.begin(devices, metrics),
            **level_alarm.begin(devices, metrics),
        }

    def update(self, state: State, block: Block) -> Found:
        metrics = block.value.shape[1]
        if metrics == 1 or not regime.fast(block).any():
            return Found.nothing(block)
        self._finish_training(state, block)
        trained = state["trained"]
        if not trained.all():
            some = ~trained
            wander.learn(state, block, some)
            if not trained.any():
                return Found.nothing(block)
        moved = self._follow(state, block)
        near = np.minimum(moved.slow, _CAP)
        limit = float(np.interp(np.log2(metrics), _METRICS, _LIMITS)) / self._sensitivity
        norm = level_alarm.norm(near) / limit
        declared = regime.declared(block)
        judged = trained & regime.fast(block) & (declared | (state["judged"] >= _JUDGED_FROM))
        usual = np.where(declared, 1.0, np.maximum(1.0, _ABOVE * state["most"]))
        score = np.where(judged, norm / usual, 0.0)
        alarm, anew = level_alarm.update(state, score, moved, limit * usual, judged)
        self._remember(state, norm, trained & ~alarm, judged)
        self._learn(state, block, alarm, anew)
        contributions = np.where(judged[:, None], near / (limit * usual)[:, None], 0.0)
        return Found(score[:, None], alarm, contributions)

    def _finish_training(self, state: State, block: Block) -> None:
        """The first message after training sets scale and reference."""
        enough = np.where(regime.declared(block), regime.DECLARED_ROWS, _BY_ITSELF)
        ready = ~state["trained"] & ~block.training & (state["rows"] >= enough)
        rows = np.flatnonzero(ready)
        if len(rows):
            learned = wander.scales(state, rows)
            state["reference"][rows], state["slow"][rows] = learned.reference, learned.slow
            state["fast"][rows], state["spread"][rows] = learned.fast, learned.spread
            state["scale"][rows] = learned.scale
            state["trained"][rows] = True

    def _remember(self, state: State, norm: Floats, calm: Bools, judged: Bools) -> None:
        """Highest norms of the past, of devices that judge themselves by those."""
        most, now, count = state["most"], state["block"], state["judged"]
        # Once it is judged a drift must not raise the limit that it is judged by.
        grown = np.where(judged, np.minimum(norm, (1 + _GROWTH) * np.maximum(most, 1.0)), norm)
        now[:] = np.where(calm, np.maximum(now, grown), now)
        count += state["trained"]
        over = state["trained"] & (count % _BLOCK == 0)
        put(most, over, np.maximum(most, state["block_before"]))
        put(state["block_before"], over, now)
        put(now, over, np.zeros_like(now))

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
