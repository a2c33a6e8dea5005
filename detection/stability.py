"""Population stability index: how far recent readings have moved from where they used to lie.

    PSI = sum over bins of (p - q) ln(p / q)

with q the share expected in a bin (a tenth each, as the bins lie between the deciles of the baseline) and p the share
found. Usual reading of it (Siddiqi, Credit Risk Scorecards, 2006): below 0.1 stable, to 0.25 slight, above it large.
"""

import numpy as np

from detection.groups import Floats, Integers

BINS = 10
_SMOOTHING = 0.5  # readings added to each bin, so that an empty one gives a large figure instead of infinity


def bins(series: Integers, values: Floats, deciles: Floats) -> Integers:
    """The bin 0 .. 9 of each value between its series' deciles (shape (series, 9)); a value on a decile is below it.

    Deciles that coincide, as those of a constant series, leave bins between them empty for everybody; see `shares`.
    """
    found: Integers = (values[:, None] > deciles[series]).sum(axis=1)
    return found


def index(observed: Floats, expected: Floats) -> Floats:
    """PSI of counts of shape (..., bins) against expected shares of the same shape or (bins,)."""
    smoothed = observed + _SMOOTHING * (expected > 0)
    p = smoothed / smoothed.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(expected > 0, (p - expected) * np.log(p / expected), 0.0)
    result: Floats = terms.sum(axis=-1)
    return result


def shares(deciles: Floats, greatest: Floats) -> Floats:
    """The share expected in each bin, shape (series, 10): a tenth, and that of bins which coinciding deciles close is
    given to the one below, where values on the decile fall. `greatest`: the greatest value of each series."""
    series = np.arange(len(deciles))
    expected = np.zeros((len(deciles), BINS))
    # Each tenth of the values ends on a decile, the last on the greatest.
    for end in np.column_stack([deciles, greatest]).T:
        expected[series, (deciles < end[:, None]).sum(axis=1)] += 1 / BINS
    return expected
