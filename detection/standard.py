"""The detectors that sensorlake runs, as one ensemble: the stream, `sensorlake detect` and the benchmarks use this."""

from detection.detectors.ewma import Ewma
from detection.detectors.z_score import ZScore
from detection.ensemble import Ensemble

RATE = 1e-6
TRAINING = 60


def ensemble(training: int = TRAINING) -> Ensemble:
    """`training`: messages of each device that are taken as normal before it is judged."""
    return Ensemble([ZScore(), Ewma()], rate=RATE, training=training)
