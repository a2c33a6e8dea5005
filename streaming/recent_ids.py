"""Which reading ids arrived in the last minutes: the memory by which the lake tells a repeated reading from a new one.

Ids are 128 bits, kept as two int64 columns in runs that are sorted each by itself: 24 bytes an id with its arrival, so
ten minutes at 10,000 readings a second are 144 MB; twice that, as a run keeps what it should forget until it is merged,
and more while two large ones are. A batch of 100,000 ids is looked up in tens of milliseconds. A batch becomes a run;
runs are merged as they grow, so that adding an id costs the logarithm of what is known, where one sorted column would
be copied for each batch. Spark's own deduplication keeps its ids in a state store and walks all of them at each batch.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from numpy.typing import NDArray

Longs = NDArray[np.int64]

_NEVER = np.iinfo(np.int64).min
# A run that is at most so many times as long as the one behind it is merged with it.
_LONGER = 2


def halves(ids: pa.ChunkedArray) -> tuple[Longs, Longs]:
    """Ids of 32 hex digits as their upper and lower 64 bits."""
    pairs = np.frombuffer(bytes.fromhex("".join(ids.to_pylist())), dtype=">i8").reshape(-1, 2).astype(np.int64)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


@dataclass(frozen=True)
class _Run:
    """Ids with their arrivals in microseconds, sorted by `high`; of an id's arrivals the newest first."""

    high: Longs
    low: Longs
    arrived: Longs

    def __len__(self) -> int:
        return len(self.high)

    def since(self, horizon: int) -> "_Run":
        """Those that arrived at `horizon` or later."""
        fresh = self.arrived >= horizon
        return self if fresh.all() else _Run(self.high[fresh], self.low[fresh], self.arrived[fresh])

    def has(self, high: Longs, low: Longs, horizon: int) -> NDArray[np.bool_]:
        """Which of these ids, sorted by `high`, are among those that arrived at `horizon` or later."""
        places = np.minimum(np.searchsorted(self.high, high), len(self) - 1)
        found: NDArray[np.bool_] = self.high[places] == high
        return found & (self.low[places] == low) & (self.arrived[places] >= horizon)


def _sorted(*runs: _Run) -> _Run:
    high, low, arrived = (np.concatenate([getattr(run, name) for run in runs]) for name in ("high", "low", "arrived"))
    order = np.argsort(high, kind="stable")  # which finds the runs that are sorted already
    ordered = high[order]
    if (ordered[1:] == ordered[:-1]).any():
        # An id may have come again after it was forgotten, and what is read back from the table holds both.
        order = np.lexsort((-arrived, high))
    return _Run(high[order], low[order], arrived[order])


@dataclass
class RecentIds:
    """Ids of readings that arrived within `keep_micros` before the newest."""

    keep_micros: int
    _runs: list[_Run] = field(default_factory=list)
    _newest: int = _NEVER

    def __len__(self) -> int:
        return sum(int((run.arrived >= self._horizon).sum()) for run in self._runs)

    def repeated(self, high: Longs, low: Longs) -> NDArray[np.bool_]:
        """Which of these ids, in order of arrival, are known already or stand earlier among them: a mask of their
        length."""
        order = np.argsort(high, kind="stable")
        high, low = high[order], low[order]  # neighbours are looked up in neighbouring places
        found = _repeated_within(high, low)
        for run in self._runs:
            found |= run.has(high, low, self._horizon)
        repeated = np.empty_like(found)
        repeated[order] = found
        return repeated

    def add(self, high: Longs, low: Longs, arrived: Longs) -> None:
        """Remember new ids, and forget those that arrived more than `keep_micros` before the newest."""
        if len(high) == 0:
            return
        newest = int(arrived.max())
        # Arrivals are the broker's clock: one that went ahead and came back must not have all forgotten until it is
        # where it was.
        self._newest = newest if newest < self._horizon else max(self._newest, newest)
        run = _sorted(_Run(high, low, arrived))
        while self._runs and len(self._runs[-1]) <= _LONGER * len(run):
            run = _sorted(self._runs.pop().since(self._horizon), run.since(self._horizon))
        self._runs = [known for known in [*self._runs, run] if known.arrived.max(initial=_NEVER) >= self._horizon]

    @property
    def _horizon(self) -> int:
        """The first arrival that is remembered."""
        return max(_NEVER, self._newest - self.keep_micros)


def _repeated_within(high: Longs, low: Longs) -> NDArray[np.bool_]:
    """Of ids sorted by `high`, and those of one `high` by arrival: which stand earlier among them."""
    starts = np.ones(len(high), dtype=bool)
    starts[1:] = high[1:] != high[:-1]
    first = np.maximum.accumulate(np.where(starts, np.arange(len(high)), 0))
    return ~starts & (low[first] == low)
