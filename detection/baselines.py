"""What is usual for each series, from its closed windows: robust, so that a fault among them changes little.

The centre is the median of the window means m_w, each weighted by its n_w readings. The spread of single readings
follows the law of total variance, with a robust figure in place of each part:

    spread^2 = between^2 + within^2
    between  = 1.4826 median(|m_w - centre|)    (the median distance, scaled to a normal distribution's deviation;
               Hampel 1974); where more than half of the windows have one mean: (q90 - q10) / 2.5631
    within^2 = weighted mean of s_w^2, each no more than the series' 95 % quantile of s_w^2

A device may change its level for good: it was moved, or its load is another. Robust figures would keep the old level
until half of the windows are new, and raise alarms all the while. So a level is taken as new once it has lasted for
`Shift.lasting`: from then on only windows since its begin count.
"""

from dataclasses import dataclass

import numpy as np

from detection.groups import Floats, Integers
from detection.windows import Windows

_NORMAL = 1.4826  # 1 / the 75 % quantile of a standard normal distribution
_TEN_TO_NINETY = 2.5631  # distance of its 10 % and 90 % quantiles
DECILES = tuple(share / 10 for share in range(1, 10))
_DAY = 86_400_000_000
_HOUR = 3_600_000_000


@dataclass(frozen=True)
class Shift:
    """When a new level counts as one: it has lasted `lasting` microseconds, lies at least `distance` spreads from the
    old one, and `share` of its windows are on the new side of the middle between the two."""

    lasting: int
    distance: float = 3.0
    share: float = 0.9


@dataclass(frozen=True)
class Baselines:
    """One row a series, shape (series,) unless stated; NaN where `windows` is 0. Names and units as in
    contracts/schemas/baseline.avsc; times in microseconds since 1970, `shifted_at` -1 where the level did not change.
    """

    since: Integers
    until: Integers
    windows: Integers
    readings: Integers
    centre: Floats
    spread: Floats
    mean: Floats
    stddev: Floats
    within: Floats
    between: Floats
    min: Floats
    max: Floats
    deciles: Floats
    """Shape (series, 9)."""
    low: Floats
    high: Floats
    hours: Floats
    """Shape (series, 24)."""
    steepest: Floats
    flat: Floats
    interval_seconds: Floats
    shifted_at: Integers


def learn(given: Windows, until: int, shift: Shift) -> Baselines:
    """The baselines of the series in `given`, as known at `until` (microseconds since 1970)."""
    windows = given.usable()
    shifted_at = level_shifts(windows, until, shift)
    windows = windows.where(windows.start >= shifted_at[windows.series])
    groups, weight = windows.groups, windows.count
    readings = groups.total(weight)
    number = groups.total(np.ones_like(weight))
    centre, between, within = _robust(windows)
    mean = groups.mean(windows.mean, weight)
    variance = groups.mean(windows.stddev**2 + (windows.mean - mean[windows.series]) ** 2, weight)
    several = windows.count >= 2
    still = groups.where(several)
    # A pause between windows is a gap, not a longer interval.
    length = (windows.end - windows.start) / 1e6
    with np.errstate(invalid="ignore", divide="ignore"):
        interval = groups.total(length) / readings
        flat = still.total((windows.greatest == windows.least)[several]) / still.total(np.ones(several.sum()))
    return Baselines(
        since=_times(groups.least(windows.start)),
        until=_times(groups.greatest(windows.end)),
        windows=number.astype(np.int64),
        readings=readings.astype(np.int64),
        centre=centre,
        spread=np.sqrt(between**2 + within**2),
        mean=mean,
        stddev=np.sqrt(variance),
        within=within,
        between=between,
        min=groups.least(windows.least),
        max=groups.greatest(windows.greatest),
        deciles=groups.quantiles(windows.mean, weight, DECILES),
        low=groups.quantiles(windows.least, np.ones_like(weight), (0.01,))[:, 0],
        high=groups.quantiles(windows.greatest, np.ones_like(weight), (0.99,))[:, 0],
        hours=_hours(windows, centre),
        steepest=groups.quantiles(np.abs(windows.rate), np.ones_like(weight), (0.99,))[:, 0],
        flat=np.nan_to_num(flat),
        interval_seconds=interval,
        shifted_at=shifted_at,
    )


def level_shifts(windows: Windows, until: int, shift: Shift) -> Integers:
    """Start of the first window of the level that each series has now, where that is a new one, else -1."""
    recent = windows.start >= until - shift.lasting
    old = windows.where(~recent)
    # Of a level that came just before, the old windows hold some already: their robust figures bear that.
    old_centre, between, within = _robust(old)
    old_spread = np.sqrt(between**2 + within**2)
    groups = windows.where(recent).groups
    weight = windows.count[recent]
    new_centre = groups.quantiles(windows.mean[recent], weight, (0.5,))[:, 0]
    with np.errstate(invalid="ignore"):
        middle = (old_centre + new_centre) / 2
        side = np.sign(new_centre - old_centre)
        on_new_side = side[windows.series] * (windows.mean - middle[windows.series]) > 0
        far = np.abs(new_centre - old_centre) > shift.distance * np.maximum(old_spread, 1e-9 * np.abs(old_centre))
        lasted = groups.mean(on_new_side[recent].astype(np.float64), weight) >= shift.share
        # It has lasted only if windows reach back to the begin of that time.
        covered = groups.least(windows.start[recent]) <= until - 0.8 * shift.lasting
    shifted = far & lasted & covered
    leaving = (~on_new_side) & ~recent
    last_old = windows.where(leaving).groups.greatest(windows.end[leaving])
    first_new = _first_after(windows, last_old)
    return np.where(shifted & np.isfinite(first_new), np.where(np.isfinite(first_new), first_new, 0), -1).astype(
        np.int64
    )


def _first_after(windows: Windows, moment: Floats) -> Floats:
    later = windows.start >= moment[windows.series]
    return windows.where(later).groups.least(windows.start[later])


def _robust(windows: Windows) -> tuple[Floats, Floats, Floats]:
    """centre, between, within of each series."""
    groups, weight = windows.groups, windows.count
    tenth, centre, ninetieth = groups.quantiles(windows.mean, weight, (0.1, 0.5, 0.9)).T
    away = np.abs(windows.mean - centre[windows.series])
    between = _NORMAL * groups.quantiles(away, weight, (0.5,))[:, 0]
    between = np.where(between > 0, between, (ninetieth - tenth) / _TEN_TO_NINETY)
    variance = windows.stddev**2
    most = groups.quantiles(variance, weight, (0.95,))[:, 0]
    within = np.sqrt(groups.mean(np.minimum(variance, most[windows.series]), weight))
    return centre, between, within


def _hours(windows: Windows, centre: Floats) -> Floats:
    """Mean of each UTC hour of day minus the centre; 0 where an hour has no reading."""
    hour = windows.start % _DAY // _HOUR
    cell = windows.series * 24 + hour
    weights = np.bincount(cell, weights=windows.count, minlength=windows.series_count * 24)
    sums = np.bincount(cell, weights=windows.count * windows.mean, minlength=windows.series_count * 24)
    means = np.divide(sums, weights, out=np.full_like(sums, np.nan), where=weights > 0).reshape(-1, 24)
    return np.nan_to_num(means - centre[:, None])


def _times(found: Floats) -> Integers:
    return np.where(np.isfinite(found), found, -1).astype(np.int64)
