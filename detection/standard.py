"""The detectors that sensorlake runs, as one ensemble: the stream, `sensorlake detect` and the benchmarks use this."""

from detection.detectors.ewma import Ewma
from detection.detectors.z_score import ZScore
from detection.ensemble import Ensemble

RATE = 1e-6
TRAINING = 60
_DETECTORS = (ZScore, Ewma)
NAMES = tuple(detector.name for detector in _DETECTORS)


def ensemble(only: str | None = None) -> Ensemble:
    """All of them, or the one named `only`."""
    chosen = [detector() for detector in _DETECTORS if only in (None, detector.name)]
    return Ensemble(chosen, rate=RATE, training=TRAINING)
