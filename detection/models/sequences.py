"""What the LSTM autoencoder looks at: the last 50 windows of one series, six figures each.

    windows      [end - 60 s, end), one every ten seconds: the `sliding_60s` of the table features
    figures      mean, stddev (population), min, max, count, range of the readings in the window
    normalised   mean, min, max: (x - centre) / spread;  stddev, range: x / spread;  count: x / usual count;
                 all clipped to +- 10, so that one wild value does not outweigh a whole sequence

centre, spread and usual count are those of the sequence itself, by medians, so that what is abnormal in less than half
of it hardly moves them:

    centre = median(mean)    spread^2 = median(stddev^2) + (1.4826 median|mean - centre|)^2    usual = median(count)

So one model serves all series, at any level and while the level wanders, and a series is scored as soon as it has 50
windows. A scale learned from a fixed normal time grows old: after an hour three normal sequences in ten were beyond the
threshold, and one in forty is so (docs/models.md). Windows without a reading are left out: a series that sends once a
minute has sequences, too.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection.groups import Floats, Groups, Integers

FEATURES = ("mean", "stddev", "min", "max", "count", "range")
LENGTH = 50
KIND = "sliding_60s"
EVERY_MICROS = 10_000_000
WINDOW_MICROS = 60_000_000
LONGEST_PAUSE = 60 * EVERY_MICROS
"""A longer pause between two windows ends a sequence: what was before it says nothing of what comes after."""

_PANES = WINDOW_MICROS // EVERY_MICROS
_CLIP = 10.0
_LEAST_OF_VALUE = 1e-6
_LEAST = 1e-9
_OF_DEVIATION = 1.4826
_MEAN, _STDDEV, _COUNT = (FEATURES.index(name) for name in ("mean", "stddev", "count"))
_PLACED = [FEATURES.index(name) for name in ("mean", "min", "max")]
_SIZED = [FEATURES.index(name) for name in ("stddev", "range")]
_SEQUENCES = 4096

Sequences = NDArray[np.float32]


@dataclass(frozen=True)
class Windows:
    """Windows that hold a reading, ordered by series and time, shape (windows,); figures (windows, 6) as in `FEATURES`.

    Readings are counted in panes of ten seconds, those of one series in order of time. pane: of each reading that was
    given, shape (readings,). oldest, newest: the first and the last pane of each window that holds a reading.
    """

    series: Integers
    end: Integers
    figures: Floats
    oldest: Integers
    newest: Integers
    pane: Integers

    def __len__(self) -> int:
        return len(self.series)


def windows(series: Integers, time: Integers, value: Floats) -> Windows:
    """The windows of readings in any order, but those that end after the pane of the newest reading of all: what else
    will be in them is not known. series: 0, 1, ...; time: microseconds since 1970; value: finite."""
    ten = time // EVERY_MICROS
    first = int(ten.min()) if len(ten) else 0
    slots = int(ten.max()) - first + 1 if len(ten) else 1
    panes, of = np.unique(series * slots + (ten - first), return_inverse=True)
    of = of.reshape(-1)
    nothing, alone = np.zeros(len(value)), np.ones(len(value))
    figures = _counted(Groups(of, len(panes)), np.stack([value, nothing, value, value, alone, nothing], axis=1))
    # The pane that ends a window, and the five before it.
    pane, later = (part.reshape(-1) for part in np.indices((len(panes), _PANES)))
    closed = panes[pane] % slots + later < slots
    pane, later = pane[closed], later[closed]
    found, window = np.unique(panes[pane] + later, return_inverse=True)
    groups = Groups(window.reshape(-1), len(found))
    return Windows(
        series=found // slots,
        end=(first + found % slots + 1) * EVERY_MICROS,
        figures=_counted(groups, figures[pane]),
        oldest=groups.least(pane).astype(np.int64),
        newest=groups.greatest(pane).astype(np.int64),
        pane=of,
    )


def normalised(given: Floats) -> Sequences:
    """Sequences of figures on their own scale; `given` and what is returned of shape (sequences, length, 6)."""
    mean = given[:, :, _MEAN]
    centre = np.median(mean, axis=1, keepdims=True)
    wander = _OF_DEVIATION * np.median(np.abs(mean - centre), axis=1, keepdims=True)
    spread = np.sqrt(np.median(given[:, :, _STDDEV] ** 2, axis=1, keepdims=True) + wander**2)
    spread = np.maximum(spread, np.maximum(_LEAST_OF_VALUE * np.abs(centre), _LEAST))[:, :, None]
    found = np.empty_like(given)
    found[:, :, _PLACED] = (given[:, :, _PLACED] - centre[:, :, None]) / spread
    found[:, :, _SIZED] = given[:, :, _SIZED] / spread
    found[:, :, _COUNT] = given[:, :, _COUNT] / np.median(given[:, :, _COUNT], axis=1, keepdims=True)
    return np.clip(found, -_CLIP, _CLIP).astype(np.float32)


def ends(given: Windows, length: int = LENGTH, step: int = 1) -> Integers:
    """The last window of each whole sequence; of each series every `step`-th."""
    if not len(given):
        return np.zeros(0, np.int64)
    fresh = np.ones(len(given), np.bool_)
    fresh[1:] = (np.diff(given.series) != 0) | (np.diff(given.end) > LONGEST_PAUSE)
    begin = np.maximum.accumulate(np.where(fresh, np.arange(len(given)), 0))
    place = np.arange(len(given)) - begin
    return np.flatnonzero((place >= length - 1) & ((place - length + 1) % step == 0))


def cut(figures: Floats, ends: Integers, length: int = LENGTH) -> Sequences:
    """The normalised sequences that end with these windows, shape (ends, length, 6)."""
    found = np.empty((len(ends), length, figures.shape[1]), np.float32)
    for first in range(0, len(ends), _SEQUENCES):
        part = ends[first : first + _SEQUENCES]
        found[first : first + len(part)] = normalised(figures[part[:, None] + np.arange(1 - length, 1)])
    return found


def _counted(groups: Groups, parts: Floats) -> Floats:
    """The figures of each group, shape (groups, 6), from those of its parts, shape (parts, 6)."""
    mean, stddev, least, greatest, count, _ = parts.T
    total = groups.total(count)
    whole = groups.total(count * mean) / np.maximum(total, 1)
    # About the mean: of values around 1000 hPa the difference of squares would lose the noise.
    squares = groups.total(count * (stddev**2 + (mean - whole[groups.of]) ** 2))
    low, high = groups.least(least), groups.greatest(greatest)
    return np.stack([whole, np.sqrt(squares / np.maximum(total, 1)), low, high, total, high - low], axis=1)
