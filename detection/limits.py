"""Limits from baselines: from how far outside the usual a reading counts as abnormal."""

from dataclasses import dataclass

import numpy as np

from detection.groups import Floats, Groups, Integers
from detection.windows import Windows

# Of a device that never varies nothing is known but its value: it gets this part of what is usual for its metric.
_LEAST_OF_METRIC = 0.01
_LEAST_OF_VALUE = 1e-3
_LEAST = 1e-9
# Usual extremes of heavy-tailed readings lie further out than the rule's distance. They are no alarms, up to a point.
_BEYOND_EXTREMES = 1.1
_MOST_WIDENED = 3.0


@dataclass(frozen=True)
class Learned:
    """z-score limits, one a series: a value further than `z_limit` times `stddev` from `mean` is abnormal."""

    mean: Floats
    stddev: Floats
    z_limit: Floats


def learn(*, centre: Floats, spread: Floats, low: Floats, high: Floats, metric: Integers, z_limit: Floats) -> Learned:
    """Limits for series with the given centre and spread, usual extremes `low` and `high`, and the rule's `z_limit`.

    `metric` numbers the metric of each series. The deviation of a series that never varied is 1 % of the median of its
    metric or 0.1 % of its value, whichever is more: never 0, by which nothing could be judged.
    """
    metrics = Groups(metric, int(metric.max(initial=-1)) + 1)
    usual = metrics.quantiles(spread, np.ones_like(spread), (0.5,))[:, 0]
    least = np.maximum(_LEAST_OF_METRIC * usual[metric], _LEAST)
    still = spread <= least
    stddev = np.where(still, np.maximum(least, _LEAST_OF_VALUE * np.abs(centre)), spread)
    reach = np.maximum(high - centre, centre - low) / stddev
    widened = np.clip(_BEYOND_EXTREMES * reach, z_limit, _MOST_WIDENED * z_limit)
    return Learned(mean=centre, stddev=stddev, z_limit=widened)


def alarms(windows: Windows, lower: Floats, upper: Floats) -> Floats:
    """Readings of each series outside [lower, upper] (shape (series,), infinite where there is no limit), as far as
    windows tell: all of a window whose mean is outside, else one for each of its extremes that is."""
    below, above = lower[windows.series], upper[windows.series]
    outside = (windows.mean < below) | (windows.mean > above)
    extremes = (windows.least < below).astype(np.float64) + (windows.greatest > above)
    return windows.groups.total(np.where(outside, windows.count, np.minimum(extremes, windows.count)))
