"""Labelled readings, and the rows that models are trained and judged on: messages for the isolation forest, sequences
for the LSTM autoencoder."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Bools, Integers
from detection.ensemble import Ensemble
from detection.messages import Readings
from detection.models import message_scores, sequences

TRAIN, VALIDATION, TEST = "train", "validation", "test"
NORMAL = "normal"

Names = NDArray[np.str_]


@dataclass(frozen=True)
class LabelledReadings:
    """`readings` in any order, and of each: is it abnormal, of which kind, in which part of the training set."""

    readings: Readings
    abnormal: Bools
    kind: Names
    part: Names


@dataclass(frozen=True)
class Examples:
    """Rows for one model, the first axis of each array; x: what it is given. abnormal, kind, part as in
    `LabelledReadings`; device: number of the device; time: microseconds since 1970, of the newest reading in it."""

    x: NDArray[np.float32]
    abnormal: Bools
    kind: Names
    part: Names
    device: Integers
    time: Integers

    def __len__(self) -> int:
        return len(self.x)

    def where(self, chosen: Bools) -> "Examples":
        return Examples(**{item.name: getattr(self, item.name)[chosen] for item in fields(self)})

    def normal(self, part: str) -> NDArray[np.float32]:
        """What is normal in a part."""
        return self.x[(self.part == part) & ~self.abnormal]

    def thinned(self, most: int, seed: int) -> "Examples":
        """As many of the rows of each part as may be, drawn by lot, in their order."""
        rng, kept = np.random.default_rng(seed), np.zeros(len(self), np.bool_)
        for part in (TRAIN, VALIDATION, TEST):
            rows = np.flatnonzero(self.part == part)
            kept[rng.permutation(rows)[:most]] = True
        return self.where(kept)


def messages(given: LabelledReadings, ensemble: Ensemble, settling: int) -> Examples:
    """The scores of the ensemble's detectors on each message. The first `settling` messages of a device are left out:
    while detectors learn what is usual they say nothing."""
    matrix, verdicts = message_scores.judged(ensemble, given.readings)
    order, first = _groups(given, given.readings.device, given.readings.time)
    rows = order[first]
    device, time = given.readings.device[rows], given.readings.time[rows]
    if not (np.array_equal(device, verdicts.device) and np.array_equal(time, verdicts.time)):
        raise AssertionError("the ensemble judged other messages than it was given")
    found = Examples(matrix, given.abnormal[rows], given.kind[rows], given.part[rows], device, time)
    return found.where(np.arange(len(device)) - np.searchsorted(device, device) >= settling)


def windows(given: LabelledReadings, length: int = sequences.LENGTH, step: int = 1) -> Examples:
    """The sequences of each series. One is abnormal where a reading in it is, of the kind of the newest such."""
    readings = given.readings
    _, series = np.unique(np.stack([readings.device, readings.metric]), axis=1, return_inverse=True)
    found = sequences.windows(series.reshape(-1), readings.time, readings.value)
    order, first = _groups(given, found.pane)
    rows = order[first]  # one reading of each pane, an abnormal one where there is one
    ends = sequences.ends(found, length, step)
    last = found.newest[ends]
    newest = np.maximum.accumulate(np.where(given.abnormal[rows], np.arange(len(rows)), -1))[last]
    inside = newest >= found.oldest[ends - length + 1]
    kind = np.where(inside, given.kind[rows][newest], NORMAL)
    return Examples(
        x=sequences.cut(found.figures, ends, length),
        abnormal=inside,
        kind=kind,
        part=given.part[rows][last],
        device=readings.device[rows][last],
        time=found.end[ends],
    )


def coded(names: Sequence[str]) -> tuple[list[str], Integers]:
    """(the different names, the number of each)."""
    different, numbers = np.unique(np.asarray(names, dtype=np.str_), return_inverse=True)
    return different.tolist(), numbers.reshape(-1).astype(np.int64)


def _groups(given: LabelledReadings, *keys: Integers) -> tuple[Integers, Bools]:
    """(rows in order of the keys, abnormal ones of a group first; where a group begins)."""
    order = np.lexsort((~given.abnormal, *reversed(keys)))
    first = np.ones(len(order), np.bool_)
    first[1:] = np.any([np.diff(key[order]) != 0 for key in keys], axis=0)
    return order, first
