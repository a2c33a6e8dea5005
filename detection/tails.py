"""Which raw score is rare for each series: limits learned from normal rows and an allowed false-alarm rate.

Beyond a high threshold u the distances of independent scores from u are nearly exponential for the common light-tailed
distributions (Pickands, Annals of Statistics 3(1), 1975, with shape 0). With the 8 largest of n normal scores:

    u = the 8th largest,  b = mean distance of the 8 from u,  limit(rate) = u + b ln(8 / (n rate))

so a limit far beyond anything seen is still finite, and a series whose scores vary more gets a wider one. Only the 8
largest scores and their number are kept.
"""

import numpy as np

from detection.detectors.detector import Bools, Floats, State

PEAKS = 8
_LEAST = 1e-9


def begin(devices: int, channels: int) -> State:
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
    peaks, scores = state["peaks"], state["scores"]
    chosen = normal[:, None] & np.isfinite(raw)
    if not chosen.any():
        return
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
    reach = np.log(PEAKS / (scores[device, channel] * rate))
    beyond = highest.mean(axis=1) - threshold
    state["limit"][device, channel] = np.maximum(threshold + beyond * np.maximum(reach, 0), _LEAST)
