"""What the isolation forest looks at: the calibrated score of each detector on one message of a device.

    x = ln(1 + score)      one column a detector, 0 is usual, ln 2 at the detector's limit

The columns are the detectors of the ensemble, by name, so that a model says which ones it was trained on.
"""

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Floats
from detection.ensemble import Ensemble
from detection.fleet import Fleet, Verdicts
from detection.messages import Readings

Matrix = NDArray[np.float32]


def of(by_detector: Floats) -> Matrix:
    """The forest's input from the scores of an ensemble's detectors, both of shape (messages, detectors)."""
    return np.log1p(np.maximum(np.nan_to_num(by_detector, nan=0.0), 0.0)).astype(np.float32)


def judged(ensemble: Ensemble, readings: Readings) -> tuple[Matrix, Verdicts]:
    """The forest's input for every message, in order of device and time, by devices that are all new; and the
    ensemble's own verdicts on them."""
    verdicts = Fleet(ensemble).judge(readings)
    return of(verdicts.by_detector), verdicts


def columns(matrix: Matrix, names: tuple[str, ...], wanted: tuple[str, ...]) -> Matrix:
    """The columns that a model was trained on, in its order.

    Raises:
        KeyError: the ensemble has no such detector any more.
    """
    return matrix[:, [{name: place for place, name in enumerate(names)}[name] for name in wanted]]
