"""Statistics of many groups at once, over arrays whose rows belong to groups 0 .. n-1."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_CELLS = 2_000_000


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
        found = np.full((self.count, len(at)), np.nan)
        longest = int(self._sizes.max(initial=0))
        # Groups side by side in rows of one length: sorting those is ten times as fast as sorting by group and value.
        together = max(1, _CELLS // max(longest, 1))
        for first in range(0, self.count if longest else 0, together):
            block = slice(first, min(first + together, self.count))
            found[block] = self._quantiles_of(block, values, weights, at)
        return found

    def _quantiles_of(self, block: slice, values: Floats, weights: Floats, at: tuple[float, ...]) -> Floats:
        sizes, begin = self._sizes[block], self._begins[block]
        rows = self._order[begin[0] : begin[-1] + sizes[-1]]
        shape = (len(sizes), max(int(sizes.max()), 1))
        line = np.repeat(np.arange(len(sizes)), sizes)
        place = np.arange(len(rows)) - np.repeat(begin - begin[0], sizes)
        value, weight = np.full(shape, np.inf), np.zeros(shape)
        value[line, place], weight[line, place] = values[rows], weights[rows]
        order = np.argsort(value, axis=1)
        value = np.take_along_axis(value, order, axis=1)
        reached = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
        whole = reached[:, -1]
        found = np.full((len(sizes), len(at)), np.nan)
        for number, share in enumerate(at):
            # A little less than the share, as sums of weights are not exact.
            position = (reached < (share * whole * (1 - 1e-12))[:, None]).sum(axis=1)
            found[:, number] = np.where(
                whole > 0, value[np.arange(len(sizes)), np.minimum(position, shape[1] - 1)], np.nan
            )
        return found

    @cached_property
    def _sizes(self) -> Integers:
        return np.bincount(self.of, minlength=self.count)

    @cached_property
    def _begins(self) -> Integers:
        return np.concatenate([[0], np.cumsum(self._sizes)[:-1]]).astype(np.int64)

    @cached_property
    def _order(self) -> Integers:
        """The rows, those of one group together."""
        return np.argsort(self.of, kind="stable")

    def where(self, chosen: NDArray[np.bool_]) -> "Groups":
        """The same groups with only the chosen rows."""
        return Groups(self.of[chosen], self.count)


def _divided(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
