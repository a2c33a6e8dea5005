"""Which reading ids arrived in the last minutes: the memory by which the lake tells a repeated reading from a new one.

Ids are 128 bits, kept as two sorted int64 columns: 24 bytes an id with its arrival, so ten minutes at 10,000 readings
a second are 144 MB, and a batch of 100,000 ids is looked up in tens of milliseconds. Spark's own deduplication keeps
its ids in a state store and walks all of them at each batch.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from numpy.typing import NDArray

Longs = NDArray[np.int64]


def halves(ids: pa.ChunkedArray) -> tuple[Longs, Longs]:
    """Ids of 32 hex digits as their upper and lower 64 bits."""
    pairs = np.frombuffer(bytes.fromhex("".join(ids.to_pylist())), dtype=">i8").reshape(-1, 2).astype(np.int64)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def _none() -> Longs:
    return np.empty(0, dtype=np.int64)


@dataclass
class RecentIds:
    """Ids of readings by arrival. `high` is sorted; `low` and `arrived` (microseconds) stand beside it."""

    keep_micros: int
    high: Longs = field(default_factory=_none)
    low: Longs = field(default_factory=_none)
    arrived: Longs = field(default_factory=_none)

    def __len__(self) -> int:
        return len(self.high)

    def repeated(self, high: Longs, low: Longs) -> NDArray[np.bool_]:
        """Which of these ids, in order of arrival, are known already or stand earlier among them: a mask of their
        length."""
        return self._known(high, low) | _repeated_within(high, low)

    def add(self, high: Longs, low: Longs, arrived: Longs) -> None:
        """Remember new ids, and forget those that arrived more than `keep_micros` before the newest."""
        if len(high) == 0:
            return
        order = np.argsort(high, kind="stable")
        places = np.searchsorted(self.high, high[order])
        self.high = np.insert(self.high, places, high[order])
        self.low = np.insert(self.low, places, low[order])
        self.arrived = np.insert(self.arrived, places, arrived[order])
        fresh = self.arrived >= self.arrived.max() - self.keep_micros
        if not fresh.all():
            self.high, self.low, self.arrived = self.high[fresh], self.low[fresh], self.arrived[fresh]

    def _known(self, high: Longs, low: Longs) -> NDArray[np.bool_]:
        if len(self.high) == 0:
            return np.zeros(len(high), dtype=bool)
        places = np.minimum(np.searchsorted(self.high, high), len(self.high) - 1)
        known: NDArray[np.bool_] = (self.high[places] == high) & (self.low[places] == low)
        return known


def _repeated_within(high: Longs, low: Longs) -> NDArray[np.bool_]:
    _, first, group = np.unique(high, return_index=True, return_inverse=True)
    earlier = first[group]
    repeated: NDArray[np.bool_] = (earlier != np.arange(len(high))) & (low[earlier] == low)
    return repeated
