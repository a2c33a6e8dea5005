"""What the isolation forest looks at: the calibrated score of each detector on one message of a device.

    x = ln(1 + score)      one column a detector, 0 is usual, ln 2 at the detector's limit

The columns are the detectors of the ensemble, by name, so that a model says which ones it was trained on.
"""

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Bools, Floats
from detection.ensemble import Ensemble
from detection.fleet import Fleet, Verdicts
from detection.messages import Readings
from sensorlake.errors import ModelError

Matrix = NDArray[np.float32]
TELLING = 0.8
"""A message that no detector scores higher than this is not put to a forest: usual messages with scores that say little
are rare, too, and one in a thousand of them is beyond its threshold (figures in docs/models.md)."""


def of(by_detector: Floats) -> Matrix:
    """The forest's input from the scores of an ensemble's detectors, both of shape (messages, detectors)."""
    return np.log1p(np.maximum(np.nan_to_num(by_detector, nan=0.0), 0.0)).astype(np.float32)


def judged(ensemble: Ensemble, readings: Readings) -> tuple[Matrix, Verdicts]:
    """The forest's input for every message, in order of device and time, by devices that are all new; and the
    ensemble's own verdicts on them."""
    verdicts = Fleet(ensemble).judge(readings)
    return of(verdicts.by_detector), verdicts


def telling(score: Floats) -> Bools:
    """Which messages are put to a forest, by the ensemble's score."""
    found: Bools = score > TELLING
    return found


def columns(matrix: Matrix, names: tuple[str, ...], wanted: tuple[str, ...]) -> Matrix:
    """The columns that a model was trained on, in its order.

    Raises:
        ModelError: it was trained on other detectors than those of the ensemble.
    """
    require_same(names, wanted)
    return matrix[:, [names.index(name) for name in wanted]]


def require_same(names: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    """
    Raises:
        ModelError: the detectors `wanted`, that a model was trained on, are not those of the ensemble, `names`.
    """
    lost, new = sorted(set(wanted) - set(names)), sorted(set(names) - set(wanted))
    if lost or new:
        said = [f"with {', '.join(lost)}" if lost else "", f"without {', '.join(new)}" if new else ""]
        raise ModelError(
            f"the isolation forest was trained on other detectors, {' and '.join(filter(None, said))}: train it anew "
            "(job train_models in Dagster)"
        )
