"""Statistics of many groups at once, over arrays whose rows belong to groups 0 .. n-1."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """`of`: the group of each row, shape (rows,), in any order; `count`: how many groups there are."""

    of: Integers
    count: int

    def total(self, values: NDArray[np.generic]) -> Floats:
        """Sum of the values of each group, shape (count,)."""
        found = np.bincount(self.of, weights=values.astype(np.float64), minlength=self.count)
        return found.astype(np.float64)  # of no rows at all numpy counts in integers

    def mean(self, values: Floats, weights: Floats) -> Floats:
        """Weighted mean of each group; NaN for a group without weight."""
        return _divided(self.total(values * weights), self.total(weights))

    def least(self, values: NDArray[np.generic]) -> Floats:
        """Least value of each group; infinity for an empty one."""
        found = np.full(self.count, np.inf)
        np.minimum.at(found, self.of, values)
        return found

    def greatest(self, values: NDArray[np.generic]) -> Floats:
        """Greatest value of each group; minus infinity for an empty one."""
        found = np.full(self.count, -np.inf)
        np.maximum.at(found, self.of, values)
        return found

    def quantiles(self, values: Floats, weights: Floats, at: tuple[float, ...]) -> Floats:
        """Weighted quantiles of each group, shape (count, len(at)): the first value up to which at least the share
        `at` of the group's weight lies. NaN for a group without weight.

        >>> Groups(np.array([0, 0, 0, 1]), 2).quantiles(np.array([3.0, 1.0, 2.0, 7.0]), np.ones(4), (0.5,))
        array([[2.],
               [7.]])
        """
        order = np.lexsort((values, self.of))
        group, ordered = self.of[order], values[order]
        reached = np.cumsum(weights[order])
        ends = np.searchsorted(group, np.arange(self.count), side="right")
        starts = np.searchsorted(group, np.arange(self.count), side="left")
        before = np.where(starts > 0, reached[np.maximum(starts - 1, 0)], 0.0) if len(order) else np.zeros(self.count)
        after = np.where(ends > 0, reached[np.maximum(ends - 1, 0)], 0.0) if len(order) else np.zeros(self.count)
        whole = after - before
        found = np.full((self.count, len(at)), np.nan)
        filled = (ends > starts) & (whole > 0)
        for place, share in enumerate(at):
            # A little less than the share, as sums of weights are not exact.
            target = before[filled] + share * whole[filled] * (1 - 1e-12)
            position = np.clip(np.searchsorted(reached, target, side="left"), starts[filled], ends[filled] - 1)
            found[filled, place] = ordered[position]
        return found

    def where(self, chosen: NDArray[np.bool_]) -> "Groups":
        """The same groups with only the chosen rows."""
        return Groups(self.of[chosen], self.count)


def _divided(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
