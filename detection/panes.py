"""Means of ten readings each, the last hundred of every series: what a slow change is looked for in.

A pane is as long as ten usual pauses between two messages of the device, counted from its first message, so that a
cycle keeps its place over a gap. It takes the readings of calm times, and is not known (NaN) with fewer than five of
them. When the usual pause changes by half, everything begins anew.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection import regime
from detection.detectors.detector import Block, Bools, Floats, Integers, State, put

OF = 10
PANES = 100
_ENOUGH = 5
_JUMP = 8.0
_OTHER_PAUSE = 1.5
_SETTLED = 10
"""Readings before the level of a series can be told."""


@dataclass(frozen=True)
class Closed:
    """Devices (rows of the block) whose pane is over; `number` of that pane, shape (rows,), and its `mean`, shape
    (rows, k), NaN where it is not known."""

    device: Integers
    number: Integers
    mean: Floats


def begin(devices: int, metrics: int) -> dict[str, NDArray[Any]]:
    """Of devices that have sent nothing yet. `span`: seconds of a pane, 0 until it is known; `pane`: number of the one
    that is open; `total`, `count`: of its readings. Means are kept as distances from `origin`, where four bytes are
    enough."""
    return {
        "span": np.zeros(devices),
        "pane": np.full(devices, -1, dtype=np.int64),
        "total": np.zeros((devices, metrics)),
        "count": np.zeros((devices, metrics), dtype=np.int16),
        "origin": np.zeros((devices, metrics)),
        "means": np.full((devices, metrics, PANES), np.nan, dtype=np.float32),
    }


def take(state: State, block: Block) -> tuple[Closed, Integers]:
    """Take a message of each device in: the panes that it closes, and the devices that begin anew."""
    span, pane = state["span"], state["pane"]
    number = np.where(span > 0, block.history // np.where(span > 0, span, 1.0), -1).astype(np.int64)
    over = np.flatnonzero(number > pane)
    closed = _close(state, over, number) if len(over) else Closed(over, over, np.zeros((0, block.value.shape[1])))
    anew = np.flatnonzero(_other_pause(state, block, over)) if len(over) or (span == 0).any() else over
    if len(anew):
        span[anew] = OF * block.interval[anew]
        pane[anew] = (block.history[anew] // span[anew]).astype(np.int64)
        state["means"][anew] = np.nan
        state["origin"][anew] = np.nan_to_num(block.level[anew])
        state["total"][anew], state["count"][anew] = 0.0, 0
        number[anew] = pane[anew]
    # A series that was not there when the device began has its first level now.
    late = block.there & (block.seen == 0)
    if late.any():
        put(state["origin"], late, block.value)
    # A jump is the first reading of a spike or of another level: neither is known to be calm yet.
    taken = block.there & block.calm & (np.abs(block.change) <= _JUMP * block.deviation)
    taken &= ((span > 0) & (number >= pane))[:, None] & (block.seen >= _SETTLED)
    state["total"][:] += np.where(taken, block.value - state["origin"], 0.0)
    state["count"][:] += taken
    return closed, anew


def in_order(state: State, device: Integers, metric: Integers, newest: Integers) -> Floats:
    """The means of these series, oldest first, the last one that of pane number `newest`; shape (n, PANES)."""
    place = (newest[:, None] + 1 + np.arange(PANES)) % PANES
    return state["means"][device[:, None], metric[:, None], place].astype(np.float64)


def forget(state: State, device: Integers, metric: Integers, newest: Integers, known: Bools) -> None:
    """Forget the means that are not `known`, shape (n, PANES), as `in_order` gives them."""
    row, column = np.nonzero(~known)
    state["means"][device[row], metric[row], (newest[row] + 1 + column) % PANES] = np.nan


def _close(state: State, over: Integers, number: Integers) -> Closed:
    pane, count = state["pane"], state["count"][over]
    mean = np.where(count >= _ENOUGH, state["total"][over] / np.maximum(count, 1), np.nan)
    ended = pane[over]
    means = state["means"]
    means[over, :, ended % PANES] = mean
    skipped = np.flatnonzero(number[over] - ended > 1)
    if len(skipped):
        some = over[skipped]
        row, step = np.nonzero(np.arange(PANES) < (number[some] - ended[skipped] - 1)[:, None])
        means[some[row], :, (ended[skipped][row] + 1 + step) % PANES] = np.nan
    pane[over] = number[over]
    state["total"][over], state["count"][over] = 0.0, 0
    return Closed(over, ended, mean)


def _other_pause(state: State, block: Block, over: Integers) -> Bools:
    """Devices that report often and have no pane yet, or one of another length than their pauses have by now."""
    span = state["span"]
    ratio = OF * block.interval / np.where(span > 0, span, 1.0)
    asked = np.zeros(len(span), np.bool_)
    asked[over] = True
    other = asked & (span > 0) & ((ratio > _OTHER_PAUSE) | (ratio < 1 / _OTHER_PAUSE))
    found: Bools = regime.fast(block) & (other | ((span == 0) & (block.seen.max(axis=1) >= _SETTLED)))
    return found
