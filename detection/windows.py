"""Closed windows of statistics, of many series at once: what baselines are learned from."""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detection.groups import Floats, Groups, Integers


@dataclass(frozen=True)
class Windows:
    """One row a window. A series is one metric of one device.

    series: number of the series, 0 .. series_count-1. start, end: microseconds since 1970 UTC. count: readings in the
    window. mean, stddev (population), least, greatest: of those readings, in the metric's unit. rate: change a second
    between the first and the last of them.
    """

    series: Integers
    series_count: int
    start: Integers
    end: Integers
    count: Floats
    mean: Floats
    stddev: Floats
    least: Floats
    greatest: Floats
    rate: Floats

    def where(self, chosen: NDArray[np.bool_]) -> "Windows":
        """The chosen windows; series keep their numbers."""
        rows = {name: getattr(self, name)[chosen] for name in _ROWS}
        return Windows(series_count=self.series_count, **rows)

    def usable(self) -> "Windows":
        """Without windows whose figures are not finite or that hold no reading: one of them would spoil a series."""
        finite = (
            np.isfinite(self.mean) & np.isfinite(self.stddev) & np.isfinite(self.least) & np.isfinite(self.greatest)
        )
        return self.where(finite & np.isfinite(self.rate) & (self.count > 0))

    @cached_property
    def groups(self) -> Groups:
        return Groups(self.series, self.series_count)


_ROWS = [field.name for field in fields(Windows) if field.name != "series_count"]
