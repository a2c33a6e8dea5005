"""Drift: a level that moves away faster, or further, than this series' level ever did.

    raw = |a - b| / deviation,   a, b: exponentially weighted levels over 15 and over 120 readings

the slope over about two minutes of readings at one a second, in units of the noise. The limit is a little above the
largest raw score of the series' own past, taken over blocks of 300 readings and known one block late, so that a drift
does not raise the limit it is judged by. Most machines swing: nothing is said before the level has turned twice, or
after 4,500 readings. Fires on drifts that are steeper than the machine's usual cycles; it fails on one that climbs no
faster than those, which is found only by what follows (a step back, a limit). An alarm of 1,800 readings is taken as
the usual.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detection import regime
from detection.detectors.detector import Block, Bools, Floats, Found, State, put
from detection.probation import Probation
from detection.reference import ARMED

_SHORT, _LONG = 1 / 15, 1 / 120
_BLOCK = 300
_KEEP = 0.995
_LONG_KNOWN = 4500
_TURN = 0.6
_ACCEPTED = 1800
_ABOVE, _ABOVE_AT_FIRST, _MARGIN = 1.1, 0.6, 1.1


class Drift:
    """State a series: `short`, `long`: levels; `most`: largest raw score; `block`, `block_before`: those of the blocks
    that do not count yet; `turns` and those known one and two blocks ago; `side`; `lasting`; `count`: readings, and
    `readings`: those since it began anew."""

    name: ClassVar[str] = "drift"
    per_device: ClassVar[bool] = False
    momentary: ClassVar[bool] = False

    def __init__(self) -> None:
        self._probation = Probation()

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        names = ("short", "long", "most", "block", "block_before", "turns", "turns_1", "turns_2")
        more = ("side", "readings", "lasting", "count")
        return {name: np.zeros((devices, metrics)) for name in names + more} | self._probation.begin(devices, metrics)

    def update(self, state: State, block: Block) -> Found:
        fast = regime.fast(block)
        if not fast.any():
            return Found.nothing(block)
        there, seen = block.there & fast[:, None], block.seen
        gap = self._gap(state, block, there)
        raw = np.abs(gap)
        known = (state["turns_2"] >= 2) | (state["readings"] > _LONG_KNOWN)
        limit = (_ABOVE + _ABOVE_AT_FIRST * np.exp(-seen / 1200)) * state["most"] + _MARGIN
        # With other metrics beside, `level` knows more of what moves together.
        armed = there & known & (not regime.several(block))
        score = np.where(armed, raw / limit, 0.0)
        self._turn(state, gap, there)
        free = there & block.calm & (seen >= ARMED)
        grown = np.where(known, np.minimum(raw, 1.1 * state["most"] + 0.2), raw)
        put(state["block"], free, np.maximum(state["block"], grown))
        self._roll(state, there & ((seen + 1) % _BLOCK == 0))
        state["readings"][:] += there
        lasting = state["lasting"]
        put(lasting, there, np.where(score > 1, lasting + 1, np.maximum(lasting - 2, 0)))
        accepted = lasting > _ACCEPTED
        for name in ("most", "turns", "turns_1", "turns_2", "side", "readings", "lasting"):
            put(state[name], accepted, np.zeros_like(lasting))
        return self._probation.judge(state, block, score)

    def _gap(self, state: State, block: Block, there: Bools) -> Floats:
        short, long, count = state["short"], state["long"], state["count"]
        first = there & (count == 0)
        put(short, first, block.value)
        put(long, first, block.value)
        rising = 1 / (count + 1)
        put(short, there, short + np.maximum(_SHORT, rising) * (block.level - short))
        put(long, there, long + np.maximum(_LONG, rising) * (block.level - long))
        count += there
        gap: Floats = (short - long) / block.deviation
        return gap

    def _turn(self, state: State, gap: Floats, there: Bools) -> None:
        side = np.sign(gap) * ((np.abs(gap) > _TURN) & there)
        state["turns"][:] += (side != 0) & (state["side"] != 0) & (side != state["side"])
        put(state["side"], side != 0, side)

    def _roll(self, state: State, over: Bools) -> None:
        """Where a block is over the one before it counts from now on."""
        put(state["most"], over, np.maximum(state["most"] * _KEEP, state["block_before"]))
        put(state["block_before"], over, state["block"])
        put(state["block"], over, np.zeros_like(state["block"]))
        put(state["turns_2"], over, state["turns_1"])
        put(state["turns_1"], over, state["turns"])
