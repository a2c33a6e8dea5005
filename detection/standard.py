"""The detectors that sensorlake runs, as one ensemble: the stream, `sensorlake detect` and the benchmarks use this."""

from detection.detectors.detector import Detector
from detection.detectors.drift import Drift
from detection.detectors.ewma import Ewma
from detection.detectors.hour_of_day import HourOfDay
from detection.detectors.level import Level
from detection.detectors.mewma import Mewma
from detection.detectors.missing import Missing
from detection.detectors.noise import Noise
from detection.detectors.range_novelty import RangeNovelty
from detection.detectors.rate_of_change import RateOfChange
from detection.detectors.spike import Spike
from detection.detectors.stuck import Stuck
from detection.detectors.z_score import ZScore
from detection.ensemble import Ensemble

TRAINING = 60
ONCE_IN = 36e6
"""Readings that one detector may find one false alarm in: 10,000 hours of one sensor at a reading a second."""
_DEVICE_RATE = 1e-5
_TEXTBOOK_RATE = 1e-4


def detectors() -> tuple[Detector, ...]:
    """Those that judge together."""
    rate = 1 / ONCE_IN
    return (
        Spike(rate),
        Noise(rate),
        Stuck(rate),
        Drift(),
        Level(),
        Ewma(_DEVICE_RATE),
        RangeNovelty(),
        HourOfDay(),
        Missing(),
    )


def textbook() -> tuple[Detector, ...]:
    """Those to compare with, found in every textbook."""
    return (ZScore(_TEXTBOOK_RATE), Mewma(_TEXTBOOK_RATE), RateOfChange(_TEXTBOOK_RATE))


NAMES = tuple(detector.name for detector in detectors() + textbook())


def everything() -> Ensemble:
    """All that there are, to compare them on the same rows; those that judge together come first."""
    return Ensemble(detectors() + textbook(), training=TRAINING)


def ensemble(only: str | None = None) -> Ensemble:
    """The detectors that judge together, or the one named `only`."""
    chosen = detectors() if only is None else [each for each in detectors() + textbook() if each.name == only]
    return Ensemble(chosen, training=TRAINING)
