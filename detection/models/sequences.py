"""What the LSTM autoencoder looks at: the last 50 windows of ten seconds of one series, six figures each.

    figures      mean, stddev (population), min, max, count, range of the readings in [start, start + 10 s)
    normalised   mean, min, max: (x - centre) / spread;  stddev, range: x / spread;  count: x / usual count;
                 all clipped to +- 10, so that one wild value does not outweigh a whole sequence

centre, spread and usual count are those of the series' own normal time, so that one model serves all series. Windows
without a reading are left out: a series that sends once a minute has sequences, too.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection.groups import Floats, Groups, Integers

FEATURES = ("mean", "stddev", "min", "max", "count", "range")
LENGTH = 50
WINDOW_MICROS = 10_000_000
LONGEST_PAUSE = 60 * WINDOW_MICROS
"""A longer pause between two windows ends a sequence: what was before it says nothing of what comes after."""

_CLIP = 10.0
_LEAST_OF_VALUE = 1e-6
_LEAST = 1e-9

Sequences = NDArray[np.float32]


@dataclass(frozen=True)
class Panes:
    """Windows that hold a reading, ordered by series and time, shape (panes,); figures (panes, 6) as in `FEATURES`.

    of: the pane of each reading that was given, shape (readings,).
    """

    series: Integers
    start: Integers
    figures: Floats
    of: Integers

    def __len__(self) -> int:
        return len(self.series)


@dataclass(frozen=True)
class Scale:
    """What is normal for each series, shape (series,): centre and spread in the metric's unit, readings in a window;
    NaN for a series of which nothing is known."""

    centre: Floats
    spread: Floats
    count: Floats


def panes(series: Integers, time: Integers, value: Floats) -> Panes:
    """The windows of readings in any order. series: 0, 1, ...; time: microseconds since 1970; value: finite."""
    begin = time // WINDOW_MICROS
    keys, of = np.unique(np.stack([series, begin]), axis=1, return_inverse=True)
    of = of.reshape(-1)
    groups = Groups(of, keys.shape[1])
    count = groups.total(np.ones(len(value)))
    mean = groups.total(value) / np.maximum(count, 1)
    # In two passes: of values around 1000 hPa the difference of squares would lose the noise.
    stddev = np.sqrt(groups.total((value - mean[of]) ** 2) / np.maximum(count, 1))
    least, greatest = groups.least(value), groups.greatest(value)
    figures = np.stack([mean, stddev, least, greatest, count, greatest - least], axis=1)
    return Panes(keys[0], keys[1] * WINDOW_MICROS, figures, of)


def scale(given: Panes, normal: NDArray[np.bool_], series_count: int) -> Scale:
    """The scale of each series by those of its panes that are normal."""
    groups = Groups(given.series[normal], series_count)
    mean, stddev, count = (given.figures[normal, place] for place in (0, 1, 4))
    centre = groups.mean(mean, count)
    within, between = groups.mean(stddev**2, count), groups.mean((mean - centre[groups.of]) ** 2, count)
    usual = groups.mean(count, np.ones(len(count)))
    return Scale(centre, np.sqrt(within + between), usual)


def normalised(given: Panes, scale: Scale) -> Sequences:
    """The figures on the scale of their series, float32 of shape (panes, 6); NaN where that is not known."""
    centre, spread, count = (part[given.series, None] for part in (scale.centre, scale.spread, scale.count))
    spread = np.maximum(spread, np.maximum(_LEAST_OF_VALUE * np.abs(centre), _LEAST))
    moved, figures = (given.figures - centre) / spread, given.figures
    places = {name: place for place, name in enumerate(FEATURES)}
    found = np.empty_like(figures)
    for name in ("mean", "min", "max"):
        found[:, places[name]] = moved[:, places[name]]
    for name in ("stddev", "range"):
        found[:, places[name]] = figures[:, places[name]] / spread[:, 0]
    found[:, places["count"]] = figures[:, places["count"]] / count[:, 0]
    return np.clip(found, -_CLIP, _CLIP).astype(np.float32)


def ends(given: Panes, length: int = LENGTH, step: int = 1) -> Integers:
    """The last pane of each whole sequence; of each series every `step`-th."""
    if not len(given):
        return np.zeros(0, np.int64)
    fresh = np.ones(len(given), np.bool_)
    fresh[1:] = (np.diff(given.series) != 0) | (np.diff(given.start) > LONGEST_PAUSE)
    begin = np.maximum.accumulate(np.where(fresh, np.arange(len(given)), 0))
    place = np.arange(len(given)) - begin
    return np.flatnonzero((place >= length - 1) & ((place - length + 1) % step == 0))


def cut(normalised: Sequences, ends: Integers, length: int = LENGTH) -> Sequences:
    """The sequences that end with these panes, shape (ends, length, 6)."""
    found: Sequences = normalised[ends[:, None] + np.arange(1 - length, 1)]
    return found
