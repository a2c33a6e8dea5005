"""Faults put into normal readings of real devices: what a model that was trained on them is judged by.

spike   1 to 3 readings, 8 to 20 spreads away
drift   a straight line to 5 to 10 spreads
stuck   the value of the onset again and again
noise   normal numbers of 3 to 6 spreads added
"""

import numpy as np

from detection.detectors.detector import Bools, Floats, Integers
from detection.groups import Groups
from detection.models.examples import NORMAL, Names

KINDS = ("spike", "drift", "stuck", "noise")
_LEAST_READINGS = 20


def inject(
    series: Integers, time: Integers, value: Floats, open_to: Bools, *, share: float, seed: int
) -> tuple[Floats, Names]:
    """(values with faults, the kind of each reading), one fault in `share` of the series.

    series: 0, 1, ... of each reading; open_to: readings in which a fault may be. The spread of a series is that of its
    other readings. The same arguments give the same faults.
    """
    rng = np.random.default_rng(seed)
    count = int(series.max(initial=-1)) + 1
    spread = _spread(series[~open_to], value[~open_to], count)
    found, kind = value.copy(), np.full(len(value), NORMAL, dtype="<U16")
    order = np.lexsort((time, series))
    order = order[open_to[order]]
    bounds = np.searchsorted(series[order], np.arange(count + 1))
    affected = np.sort(rng.permutation(count)[: round(share * count)])
    for place, number in enumerate(affected.tolist()):
        rows = order[bounds[number] : bounds[number + 1]]
        name = KINDS[place % len(KINDS)]
        size, sign, where, length = rng.random(), rng.choice((-1.0, 1.0)), rng.random(), rng.uniform(0.1, 0.3)
        # Of a constant series nothing but a spike can be told.
        if len(rows) < _LEAST_READINGS or not np.isfinite(spread[number]) or spread[number] == 0:
            continue
        lasting = 1 + int(size * 3) if name == "spike" else max(5, int(length * len(rows)))
        begin = int(where * (len(rows) - lasting))
        rows = rows[begin : begin + lasting]
        kind[rows] = name
        found[rows] = _faulty(name, found[rows], sign * spread[number], size, rng)
    return found, kind


def _faulty(kind: str, value: Floats, spread: float, size: float, rng: np.random.Generator) -> Floats:
    if kind == "spike":
        return value + (8 + 12 * size) * spread
    if kind == "drift":
        return value + (5 + 5 * size) * spread * np.arange(1, len(value) + 1) / len(value)
    if kind == "stuck":
        return np.full(len(value), value[0])
    return value + (3 + 3 * size) * spread * rng.standard_normal(len(value))


def _spread(series: Integers, value: Floats, count: int) -> Floats:
    """Standard deviation of each series; NaN where there is no reading."""
    groups = Groups(series, count)
    ones = np.ones(len(value))
    mean = groups.mean(value, ones)
    found: Floats = np.sqrt(groups.mean((value - mean[series]) ** 2, ones))
    return found
