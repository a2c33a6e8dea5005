"""Stuck: a value that repeats itself more often in a row than this series ever does.

    raw = run of equal readings
    limit = max(ln(1 / rate) / -ln(p), 1.5 * longest normal run + 3)

p is an upper bound on the chance that a reading equals the one before, the larger of that over all readings and that
within runs (a quantised sensor repeats in stretches), so p^run is how likely a run is by chance. Both are learned when
a run ends, never while it lasts: one that lasts would raise its own limit for ever. A series counts as varying after
ten changes; a constant one never alarms. Fires on a sensor with noise within some ten readings; fails on one that
seldom changes anyway. A run of 3,000 readings is taken as the usual.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detection import regime
from detection.detectors.detector import Block, Found, State, put
from detection.probation import Probation
from detection.reference import ARMED

_CHANGES = 10
_MEMORY = 2000.0
_FORGET = 1 - 1 / 5000
_ACCEPTED = 3000


class Stuck:
    """State a series: `run`, `longest`; `repeats`, `counted`: chance of a repeat over how many readings; `within`,
    `counted_within`: the same within runs; `changes`: up to 10; and its probation."""

    name: ClassVar[str] = "stuck"
    per_device: ClassVar[bool] = False
    momentary: ClassVar[bool] = True

    def __init__(self, rate: float) -> None:
        self._span = -float(np.log(rate))
        self._probation = Probation()

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        names = ("run", "longest", "repeats", "counted", "within", "counted_within", "changes", "last_score")
        return {name: np.zeros((devices, metrics)) for name in names} | self._probation.begin(devices, metrics)

    def update(self, state: State, block: Block) -> Found:
        fast = regime.fast(block)
        if not fast.any():
            return Found.nothing(block)
        there = block.there & fast[:, None]
        run, longest, changes = state["run"], state["longest"], state["changes"]
        before = run.copy()
        later = there & (block.seen > 0)
        equal = later & (block.change == 0)
        put(run, there, np.where(equal, run + 1, 0.0))
        limit = np.maximum(self._span / -np.log(self._chance(state, block)), 1.5 * longest + 3)
        changed = later & (block.change != 0)
        changes += changed & (changes < _CHANGES)
        armed = there & (block.seen >= ARMED) & (changes >= _CHANGES)
        score = np.where(armed, run / limit, 0.0)
        normal = changed & (state["last_score"] <= 1)
        self._learn(state, normal, before)
        put(longest, normal, np.maximum(longest * _FORGET, before))
        usual = equal & ((block.seen < ARMED) | (run > _ACCEPTED))
        put(longest, usual, np.maximum(longest, run))
        put(state["last_score"], there, score)
        return self._probation.judge(state, block, score)

    def _chance(self, state: State, block: Block) -> NDArray[np.float64]:
        number = np.minimum(block.seen, _MEMORY) + 1
        chance = state["repeats"]
        chance = chance + 2 * np.sqrt(chance * (1 - chance) / number) + 2 / number
        counted = state["counted_within"]
        within = (state["within"] * counted + 2 * chance) / (counted + 2)
        within = within + 3 * np.sqrt(np.maximum(within * (1 - within), 0) / (counted + 4)) * (counted > 0)
        bounded: NDArray[np.float64] = np.clip(np.maximum(chance, within), 0.01, 0.9995)
        return bounded

    def _learn(self, state: State, normal: NDArray[np.bool_], run: NDArray[np.float64]) -> None:
        """A run of `run` repeats has ended: run + 1 readings, run of them repeats."""
        for name, repeats, readings in (("repeats", run, run + 1), ("within", run - 1, run)):
            counter = state["counted" if name == "repeats" else "counted_within"]
            chosen = normal & (readings > 0)
            put(counter, chosen, np.minimum(counter + readings, _MEMORY))
            share = state[name]
            put(share, chosen, share + (repeats - readings * share) / np.maximum(counter, readings))
