"""Which raw score is rare for each series: limits learned from normal rows and an allowed false-alarm rate.

Beyond a high threshold u the distances of independent scores from u are nearly exponential for the common light-tailed
distributions (Pickands, Annals of Statistics 3(1), 1975, with shape 0). Let u be the 8th largest of n normal scores and
b the mean distance of the 7 larger ones from it. The mean of 7 distances is itself a guess, which widens what may
follow: the next score lies beyond u + y with chance (8 / n) (1 + y / 7b)^-7 (the predictive distribution of an
exponential with unknown mean). Hence

    limit(rate) = u + 7 b ((8 / (n rate))^(1/7) - 1)

a finite limit far beyond anything seen, and a wider one for a series whose scores vary more. Only the 8 largest scores
and their number are kept.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Bools, Floats, State

PEAKS = 8
_LEAST = 1e-9


def begin(devices: int, channels: int) -> dict[str, NDArray[Any]]:
    """State of `channels` scores a device that nothing is known of yet: no limit that could be broken."""
    return {
        "peaks": np.zeros((devices, channels, PEAKS)),
        "scores": np.zeros((devices, channels)),
        "limit": np.full((devices, channels), np.inf),
    }


def learn(state: State, raw: Floats, normal: Bools, rate: float) -> None:
    """Take the raw scores of normal devices (shape (n,)) into account; NaN is none.

    `rate`: the limit is the score that a normal reading goes beyond once in 1 / `rate` readings.
    """
    chosen = normal[:, None] & np.isfinite(raw)
    if not chosen.any():
        return
    peaks, scores = state["peaks"], state["scores"]
    scores += chosen
    # Peaks ascend, so the first is the one to give way.
    device, channel = np.nonzero(chosen & (raw > peaks[:, :, 0]))
    changed = peaks[device, channel]
    changed[:, 0] = raw[device, channel]
    changed.sort(axis=1)
    peaks[device, channel] = changed
    device, channel = np.nonzero(chosen & (scores >= PEAKS))
    highest = peaks[device, channel]
    threshold = highest[:, 0]
    beyond = highest[:, 1:].mean(axis=1) - threshold
    rarer = np.maximum(PEAKS / (scores[device, channel] * rate), 1.0)
    reach = (PEAKS - 1) * (rarer ** (1 / (PEAKS - 1)) - 1)
    state["limit"][device, channel] = np.maximum(threshold + beyond * reach, _LEAST)
