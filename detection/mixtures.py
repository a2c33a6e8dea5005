"""Quantiles of several distributions taken together, of each of which only some quantiles are known."""

import numpy as np

from detection.groups import Floats, Groups

# Where the known values of a part lie: its least, the quantiles 5, 25, 50, 75 and 95 %, its greatest.
KNOWN = np.array([0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0])
_HALVINGS = 50


def quantiles(groups: Groups, weights: Floats, known: Floats, at: tuple[float, ...]) -> Floats:
    """Quantiles of each group's mixture, shape (groups.count, len(at)).

    groups: the group of each part. weights: readings of each part, shape (parts,). known: values at `KNOWN`, ascending,
    shape (parts, 7); between them the distribution function is taken as a straight line. The mixture's function is the
    weighted mean of the parts'; it is inverted by bisection, to 2^-50 of the range.
    """
    found = np.empty((groups.count, len(at)))
    whole = groups.total(weights)
    for place, share in enumerate(at):
        low, high = groups.least(known[:, 0]), groups.greatest(known[:, -1])
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            reached = groups.total(weights * _below(known, middle[groups.of])) / whole
            enough = reached >= share
            high, low = np.where(enough, middle, high), np.where(enough, low, middle)
        found[:, place] = high
    return found


def _below(known: Floats, value: Floats) -> Floats:
    """Share of each part up to `value`, shape (parts,)."""
    place = (known <= value[:, None]).sum(axis=1)
    left = np.clip(place - 1, 0, len(KNOWN) - 2)
    rows = np.arange(len(known))
    start, width = known[rows, left], known[rows, left + 1] - known[rows, left]
    within = np.divide(value - start, width, out=np.ones_like(value), where=width > 0)
    share = KNOWN[left] + np.clip(within, 0, 1) * (KNOWN[left + 1] - KNOWN[left])
    return np.where(place == 0, 0.0, np.where(place >= len(KNOWN), 1.0, share))
