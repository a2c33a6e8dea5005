"""Closed windows of each device and metric: which windows close, and their statistics from panes.

    sliding_60s   60 s long, one every 10 s
    tumbling_1m   60 s long, one every 60 s
    tumbling_5m   300 s long, one every 300 s

A window [start, end) closes when the watermark reaches its end, and is written once; readings that come later still
count in the lake, and in the windows that are still open.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming.panes import LENGTH_MICROS, Panes

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND


@dataclass(frozen=True)
class Window:
    """A kind of window: `length` and `every` in microseconds, both multiples of a pane."""

    kind: str
    length: int
    every: int

    def ends_of(self, pane_start: int) -> range:
        """The ends of all windows of this kind that hold the pane."""
        first = -(-(pane_start + LENGTH_MICROS) // self.every) * self.every
        return range(first, pane_start + self.length + 1, self.every)


WINDOWS = (
    Window("sliding_60s", 60 * _SECOND, 10 * _SECOND),
    Window("tumbling_1m", 60 * _SECOND, 60 * _SECOND),
    Window("tumbling_5m", 300 * _SECOND, 300 * _SECOND),
)
LONGEST = max(window.length for window in WINDOWS)


def close(panes: Panes, after: int, until: int) -> pa.Table | None:
    """Statistics of every window whose end is in (after, until], in the shape of contracts/schemas/feature.avsc; None
    where no window closes. Panes that no later window needs are forgotten."""
    closed = []
    starts = panes.starts()
    for window in WINDOWS:
        for end in sorted({end for start in starts for end in window.ends_of(start) if after < end <= until}):
            parts = list(panes.between(end - window.length, end))
            if parts:
                # Values near the largest of a double overflow to infinity, which the row then says; no other row
                # suffers.
                with np.errstate(over="ignore", invalid="ignore"):
                    closed.append(_statistics(window.kind, end - window.length, end, parts))
    panes.forget_before(until - LONGEST)
    return pa.concat_tables(closed) if closed else None


def _statistics(kind: str, start: int, end: int, parts: Sequence[pa.Table]) -> pa.Table:
    """One row a device and metric. Means and variances of parts are joined as in Chan, Golub, LeVeque (1979)."""
    table = pa.concat_tables(parts)
    devices = table["device_id"].combine_chunks().dictionary_encode()
    metrics = table["metric"].combine_chunks().dictionary_encode()
    keys = devices.indices.to_numpy().astype(np.int64) * len(metrics.dictionary) + metrics.indices.to_numpy()
    found, group = np.unique(keys, return_inverse=True)

    def column(name: str) -> np.ndarray:
        return table[name].to_numpy()

    count, mean = column("count"), column("mean")
    total = np.bincount(group, weights=count)
    whole_mean = np.bincount(group, weights=count * mean) / total
    m2 = np.bincount(group, weights=column("m2") + count * (mean - whole_mean[group]) ** 2)
    order = np.argsort(group, kind="stable")
    edges = np.searchsorted(group[order], np.arange(len(found)))
    low = np.minimum.reduceat(column("min")[order], edges)
    high = np.maximum.reduceat(column("max")[order], edges)
    first = np.lexsort((column("first_time"), group))[edges]
    last_edges = np.append(edges[1:], len(group)) - 1
    last = np.lexsort((column("last_time"), group))[last_edges]
    delta = column("last")[last] - column("first")[first]
    seconds = (column("last_time")[last] - column("first_time")[first]) / _SECOND
    rows = len(found)
    return pa.table(
        {
            "window_kind": pa.array([kind] * rows),
            "window_start": _times(start, rows),
            "window_end": _times(end, rows),
            "device_id": pc.take(devices.dictionary, pa.array(found // len(metrics.dictionary))),
            "metric": pc.take(metrics.dictionary, pa.array(found % len(metrics.dictionary))),
            "count": total.astype(np.int64),
            "mean": whole_mean,
            "stddev": np.sqrt(np.maximum(m2, 0) / total),
            "min": low,
            "max": high,
            "range": high - low,
            "delta": delta,
            "rate_of_change": np.divide(delta, seconds, out=np.zeros(rows), where=seconds > 0),
            "event_date": pa.array(np.full(rows, start // _DAY, dtype=np.int32), pa.date32()),
        }
    )


def _times(micros: int, rows: int) -> pa.Array:
    return pa.array(np.full(rows, micros, dtype=np.int64)).cast(pa.timestamp("us", "UTC"))
