"""A record counts once, and less each time: what keeps a detector of records from ringing all day.

    only a score above all of the last 50 messages counts
    score = raw / (1 + fatigue);  fatigue + 1 at each new record that comes 50 messages after the one before it,
    and fades over 1,000 messages

So a machine that breaks its own records again and again must shout louder each time.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Bools, Floats, State

_GAP = 50
_FADES = 1 / 1000
_COUNTS = 0.01


def begin(devices: int, metrics: int) -> dict[str, NDArray[Any]]:
    """Of series that were not heard yet."""
    shape = (devices, metrics)
    return {
        "peak": np.zeros(shape),
        "since_peak": np.full(shape, _GAP + 1, dtype=np.int32),
        "fatigue": np.zeros(shape),
        "since_record": np.full(shape, _GAP + 1, dtype=np.int32),
    }


def faded(state: State, raw: Floats, there: Bools) -> Floats:
    """What of the raw scores counts, shape (n, k)."""
    peak, since_peak = state["peak"], state["since_peak"]
    fatigue, since_record = state["fatigue"], state["since_record"]
    since_peak += since_peak <= _GAP
    peak[since_peak > _GAP] = 0
    new = there & (raw > peak)
    np.copyto(peak, raw, where=new)
    since_peak[new] = 0
    counted = np.where(new, raw, 0.0)
    fatigue *= 1 - _FADES
    since_record += since_record <= _GAP
    score: Floats = counted / (1 + fatigue)
    record = counted > _COUNTS
    fatigue += record & (since_record > _GAP)
    since_record[record] = 0
    return score
