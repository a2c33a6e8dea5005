"""MEWMA: the weighted mean of all metrics of a device, judged by how they usually move together.

    y   = standardised readings;   e <- e + 0.1 (y - e)
    raw = T2 = e' (0.1 / 1.9 C)^-1 e

(Lowry, Woodall, Champ and Rigdon, Technometrics 34(1), 1992). C is the correlation of the training rows, shrunk by a
tenth towards independence, as a few hundred rows do not tell small correlations. The limit comes from the tail of the
training rows. Fires on combinations that never occur, such as flow without pressure; fails on metrics that drift by
themselves, which dominate it (`level` does not have that fault). A missing reading leaves its weighted mean as it is.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detection.detectors import moments
from detection.detectors.detector import Block, Found, State, put
from detection.limited import Limited

_WEIGHT = 0.1
_SHRUNK = 0.1
_CLIP = 10.0


class Mewma:
    """State a device: `products`, sum of products of standardised training readings, shape (k, k); `rows`; `inverse`;
    a series: `level`, and that of `moments`; and of `Limited`."""

    name: ClassVar[str] = "mewma"
    per_device: ClassVar[bool] = True
    momentary: ClassVar[bool] = False

    def __init__(self, rate: float) -> None:
        self._limited = Limited(rate)

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        return {
            "level": np.zeros((devices, metrics)),
            "products": np.zeros((devices, metrics, metrics)),
            "rows": np.zeros(devices),
            "inverse": np.tile(np.eye(metrics), (devices, 1, 1)),
            **moments.begin(devices, metrics),
            **self._limited.begin(devices, 1),
        }

    def update(self, state: State, block: Block) -> Found:
        level = state["level"]
        y = np.clip(moments.standardised(state, block.value), -_CLIP, _CLIP)
        put(level, np.isfinite(y), level + _WEIGHT * (y - level))
        scale = _WEIGHT / (2 - _WEIGHT)
        with_all = np.einsum("nj,njk->nk", level, state["inverse"])
        contributions = np.maximum(level * with_all, 0.0) / scale
        raw = (level * with_all).sum(axis=1, keepdims=True) / scale
        moments.learn(state, block.value, block.there & block.training[:, None])
        self._learn(state, block, y)
        known = (state["rows"] >= moments.ENOUGH)[:, None]
        return self._limited.judge(state, block, np.where(known, raw, np.nan), contributions)

    def _learn(self, state: State, block: Block, y: NDArray[np.float64]) -> None:
        chosen = np.flatnonzero(block.training & np.isfinite(y).all(axis=1))
        if not len(chosen):
            return
        products, rows = state["products"], state["rows"]
        products[chosen] += y[chosen, :, None] * y[chosen, None, :]
        rows[chosen] += 1
        due = chosen[(rows[chosen] >= moments.ENOUGH) & (rows[chosen] % moments.ENOUGH == 0)]
        if not len(due):
            return
        covariance = products[due] / rows[due, None, None]
        width = np.sqrt(np.maximum(np.einsum("njj->nj", covariance), 1e-12))
        correlation = (1 - _SHRUNK) * covariance / (width[:, :, None] * width[:, None, :])
        correlation[:, range(y.shape[1]), range(y.shape[1])] = 1.0
        state["inverse"][due] = np.linalg.inv(correlation)
