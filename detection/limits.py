"""Limits from baselines: from how far outside the usual a reading counts as abnormal.

How much readings vary within windows is known from a window or two. How much their level moves from window to window is
not: a device whose load turns just then seems to stand still. Of k windows that deviation is taken as the largest that
they leave likely, the upper limit of its 95 % confidence interval (for independent normal means):

    between * sqrt((k - 1) / c),    c: the 5 % quantile of the chi-square distribution of k - 1 degrees of freedom

5 times as much after three windows, 1.6 after ten, 1.2 after an hour of minutes, 1.03 after a day of them.
"""

from dataclasses import dataclass

import numpy as np

from detection.groups import Floats, Groups, Integers
from detection.windows import Windows

# Of a device that never varies nothing is known but its value: it gets this part of what is usual for its metric.
_LEAST_OF_METRIC = 0.01
_LEAST_OF_VALUE = 1e-3
_LEAST = 1e-9
# One window says nothing of how the level moves.
LEAST_WINDOWS = 2
_CHI_SQUARE_OF_ONE = 0.0039321  # 5 % quantile, 1 degree of freedom
_FIVE_PERCENT = -1.6449  # quantile of a standard normal distribution
# Usual extremes of heavy-tailed readings lie further out than the rule's distance. They are no alarms, up to a point.
_BEYOND_EXTREMES = 1.1
_MOST_WIDENED = 3.0


@dataclass(frozen=True)
class Learned:
    """z-score limits, one a series: a value further than `z_limit` times `stddev` from `mean` is abnormal."""

    mean: Floats
    stddev: Floats
    z_limit: Floats


def learn(
    *,
    centre: Floats,
    within: Floats,
    between: Floats,
    windows: Integers,
    low: Floats,
    high: Floats,
    metric: Integers,
    z_limit: Floats,
) -> Learned:
    """Limits for series with the given centre, deviation within and between so many windows, usual extremes `low` and
    `high`, and the rule's `z_limit`.

    `metric` numbers the metric of each series. The deviation of a series that never varied is 1 % of the median of its
    metric or 0.1 % of its value, whichever is more: never 0, by which nothing could be judged.
    """
    spread = np.hypot(within, likely_at_most(between, windows))
    metrics = Groups(metric, int(metric.max(initial=-1)) + 1)
    usual = metrics.quantiles(spread, np.ones_like(spread), (0.5,))[:, 0]
    least = np.maximum(_LEAST_OF_METRIC * usual[metric], _LEAST)
    still = spread <= least
    stddev = np.where(still, np.maximum(least, _LEAST_OF_VALUE * np.abs(centre)), spread)
    reach = np.maximum(high - centre, centre - low) / stddev
    widened = np.clip(_BEYOND_EXTREMES * reach, z_limit, _MOST_WIDENED * z_limit)
    return Learned(mean=centre, stddev=stddev, z_limit=widened)


def likely_at_most(between: Floats, windows: Integers) -> Floats:
    """The largest deviation between windows that so many of them leave likely; as it is known, where there is one."""
    freedom = np.maximum(windows - 1, 1).astype(np.float64)
    # Wilson and Hilferty (1931): within 13 % of the factor from 2 degrees of freedom on.
    part = 2 / (9 * freedom)
    quantile = freedom * (1 - part + _FIVE_PERCENT * np.sqrt(part)) ** 3
    largest: Floats = between * np.sqrt(freedom / np.where(freedom == 1, _CHI_SQUARE_OF_ONE, quantile))
    return largest


def alarms(windows: Windows, lower: Floats, upper: Floats) -> Floats:
    """Readings of each series outside [lower, upper] (shape (series,), infinite where there is no limit), as far as
    windows tell: all of a window whose mean is outside, else one for each of its extremes that is."""
    below, above = lower[windows.series], upper[windows.series]
    outside = (windows.mean < below) | (windows.mean > above)
    extremes = (windows.least < below).astype(np.float64) + (windows.greatest > above)
    return windows.groups.total(np.where(outside, windows.count, np.minimum(extremes, windows.count)))
