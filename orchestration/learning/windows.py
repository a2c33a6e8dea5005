"""Reads closed windows from the lake's features: what baselines are learned from and compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable

from detection.windows import Windows

_COLUMNS = (
    "device_id",
    "metric",
    "window_start",
    "window_end",
    "count",
    "mean",
    "stddev",
    "min",
    "max",
    "rate_of_change",
)


@dataclass(frozen=True)
class Series:
    """Which device and metric each series of some windows is, shape (series,)."""

    device_id: pa.Array
    metric: pa.Array

    @property
    def count(self) -> int:
        return len(self.device_id)


def read(features: DeltaTable, start: datetime, end: datetime, short_since: datetime) -> tuple[Windows, Series]:
    """Windows of five minutes that begin in [start, short_since), of one minute in [short_since, end).

    Minutes tell more of a device that has only just begun to send; of days gone by there would be five times as many.
    Only files of those days are read. A window that was closed twice (a stream that began anew) counts once.
    """
    kind, begin = ds.field("window_kind"), ds.field("window_start")
    days = ds.field("event_date").isin(_days(start, end))
    long = (kind == "tumbling_5m") & (begin >= start) & (begin < short_since)
    short = (kind == "tumbling_1m") & (begin >= short_since) & (begin < end)
    found = features.to_pyarrow_dataset().to_table(columns=list(_COLUMNS), filter=days & (long | short))
    return of_table(found)


def of_table(rows: pa.Table) -> tuple[Windows, Series]:
    """Rows of the table features -> windows, and the device and metric of each series."""
    device, metric = (rows[name].dictionary_encode().combine_chunks() for name in ("device_id", "metric"))
    if rows.num_rows == 0:
        nothing = np.zeros(0)
        whole = np.zeros(0, np.int64)
        empty = Windows(whole, 0, whole, whole, *[nothing] * 6)
        return empty, Series(pa.array([], pa.string()), pa.array([], pa.string()))
    pairs = device.indices.to_numpy().astype(np.int64) * len(metric.dictionary) + metric.indices.to_numpy()
    known, series = np.unique(pairs, return_inverse=True)
    start, end = (rows[name].cast(pa.int64()).to_numpy() for name in ("window_start", "window_end"))
    figures = [rows[name].to_numpy().astype(np.float64) for name in _COLUMNS[4:]]
    windows = Windows(series.astype(np.int64), len(known), start, end, *figures)
    names = Series(
        pc.cast(device.dictionary.take(pa.array(known // len(metric.dictionary))), pa.string()),
        pc.cast(metric.dictionary.take(pa.array(known % len(metric.dictionary))), pa.string()),
    )
    return windows.where(_first_of_each(windows)), names


def _first_of_each(windows: Windows) -> np.ndarray:
    order = np.lexsort((windows.end, windows.start, windows.series))
    same = np.zeros(len(order), np.bool_)
    if len(order):
        same[1:] = (np.diff(windows.series[order]) == 0) & (np.diff(windows.start[order]) == 0)
        same[1:] &= np.diff(windows.end[order]) == 0
    kept = np.ones(len(order), np.bool_)
    kept[order[same]] = False
    return kept


def _days(start: datetime, end: datetime) -> Sequence[object]:
    first = start.date()
    return [first + timedelta(days=place) for place in range((end.date() - first).days + 1)]
