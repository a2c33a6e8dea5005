"""How far a metric wanders by itself: the deviation that its level over 19 readings has from its level over 800.

From the Allan variance of the training rows (Allan, Proceedings of the IEEE 54(2), 1966): with y the mean of w
neighbouring readings,

    A_w = mean((y_(k+w) - y_k)^2) / 2
    scale^2 = 1/2 sum of A_w over w = 16, 32, ... 512

which is the variance of (mean of 16 readings - mean of 1,024), as the A_w of one octave is twice the variance that the
Haar wavelet of that octave has. On white noise it is that of the weighted mean. The training rows show the first
octaves only (2.5 w rows are needed); further ones go on by the slope of the last three, between falling by half (white
noise) and growing fourfold. Kept are means of 8 readings, the last 64 of them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Block, Bools, Floats, Integers, State

_OF = 8
_KEPT = 64
_FIRST, _LAST = 16, 512
_CLIP = 3.0
_CLIPPED_FROM = 30
_REFERENCE = 1 / 100
_SLOW, _FAST = 0.1, 0.3
_LEAST_OF_VALUE, _LEAST = 1e-6, 1e-9


@dataclass(frozen=True)
class Learned:
    """Shape (devices, metrics); scale is infinite for a metric that is hardly known. `reference`: the mean of the last
    100 readings, exponentially weighted. `slow`, `fast`: the same over 19 and 6. spread: deviation of single readings.
    """

    reference: Floats
    slow: Floats
    fast: Floats
    spread: Floats
    scale: Floats


def begin(devices: int, metrics: int) -> dict[str, NDArray[Any]]:
    """Of devices that have sent nothing yet."""
    shape = (devices, metrics)
    names = ("count", "mean", "squares", "mean_100", "mean_19", "mean_6", "block")
    return {
        "rows": np.zeros(devices, dtype=np.int32),
        **{f"training_{name}": np.zeros(shape) for name in names},
        "training_means": np.zeros((devices, metrics, _KEPT), dtype=np.float64),
    }


def learn(state: State, block: Block, chosen: Bools) -> None:
    """Take a training row of the chosen devices in; a missing reading counts as the level before it."""
    rows = state["rows"]
    count, mean, squares = (state[f"training_{name}"] for name in ("count", "mean", "squares"))
    there = block.there & chosen[:, None]
    spread = np.sqrt(squares / np.maximum(count, 1))
    known = count >= _CLIPPED_FROM
    near = np.where(known, np.clip(block.value, mean - _CLIP * spread, mean + _CLIP * spread), block.value)
    for name, weight in (("mean_100", _REFERENCE), ("mean_19", _SLOW), ("mean_6", _FAST)):
        level = state[f"training_{name}"]
        gain = np.maximum(weight, 1 / (count + 1))
        np.copyto(level, level + gain * (near - level), where=there)
    away = block.value - mean
    more = np.where(there, count + 1, count)
    next_mean = np.where(there, mean + away / np.maximum(more, 1), mean)
    np.copyto(squares, squares + away * (block.value - next_mean), where=there)
    count[:], mean[:] = more, next_mean
    held = np.where(there, near, state["training_mean_19"])
    total = state["training_block"]
    np.copyto(total, total + held, where=chosen[:, None])
    rows += chosen
    full = np.flatnonzero(chosen & (rows % _OF == 0))
    if len(full):
        state["training_means"][full, :, (rows[full] // _OF - 1) % _KEPT] = total[full] / _OF
        total[full] = 0


def scales(state: State, devices: Integers) -> Learned:
    """What the training rows of these devices say."""
    count = state["training_count"][devices]
    centre = state["training_mean"][devices]
    least = _LEAST_OF_VALUE * np.abs(centre) + _LEAST
    spread = np.maximum(np.sqrt(state["training_squares"][devices] / np.maximum(count, 1)), least)
    scale = np.full(count.shape, np.inf)
    blocks = np.minimum(state["rows"][devices] // _OF, _KEPT)
    for number in np.unique(blocks).tolist():
        some = np.flatnonzero(blocks == number)
        written = state["rows"][devices[some]] // _OF
        # Of a ring that went round the oldest comes first.
        order = (written[:, None] - number + np.arange(number)) % _KEPT
        means = np.take_along_axis(state["training_means"][devices[some]], order[:, None, :], axis=2)
        scale[some] = np.sqrt(np.maximum(_variance(means), (0.3 * least[some]) ** 2))
    half_known = count < state["rows"][devices][:, None] / 2
    return Learned(
        reference=state["training_mean_100"][devices],
        slow=state["training_mean_19"][devices],
        fast=state["training_mean_6"][devices],
        spread=spread,
        scale=np.where(half_known, np.inf, scale),
    )


def _variance(means: Floats) -> Floats:
    """scale^2 from means of 8 readings, oldest first, shape (..., blocks)."""
    number = means.shape[-1]
    sums = np.concatenate([np.zeros((*means.shape[:-1], 1)), np.cumsum(means, axis=-1)], axis=-1)
    octaves: list[Floats] = []
    width = _FIRST
    while 2.5 * width <= number * _OF and width <= _LAST:
        step = width // _OF
        mean = (sums[..., step:] - sums[..., :-step]) / step
        variance = ((mean[..., step:] - mean[..., :-step]) ** 2).mean(axis=-1) / 2
        # Nothing falls faster than white noise.
        octaves.append(np.maximum(variance, octaves[-1] / 2) if octaves else np.maximum(variance, 1e-24))
        width *= 2
    back = min(3, len(octaves) - 1)
    slope = np.clip((octaves[-1] / octaves[-1 - back]) ** (1 / max(back, 1)), 0.5, 4.0)
    total = np.sum(octaves, axis=0)
    last = octaves[-1]
    while width <= _LAST:
        last = last * slope
        total = total + last
        width *= 2
    found: Floats = total / 2
    return found
