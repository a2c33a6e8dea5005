"""Reads closed windows from the lake's features: what baselines are learned from and compared with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.dataset as ds  # type: ignore[import-untyped]
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


_SECONDS = 1 << 36  # more than there are from 1970 to any window


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
    scanner = features.to_pyarrow_dataset().scanner(columns=list(_COLUMNS), filter=days & (long | short))
    return of_batches(scanner.to_batches())


def of_batches(batches: Iterable[pa.RecordBatch]) -> tuple[Windows, Series]:
    """Rows of the table features -> windows, and the device and metric of each series.

    Names are put away batch by batch: of millions of rows they would take most of the memory.
    """
    known: dict[tuple[str, str], int] = {}
    parts: list[list[np.ndarray]] = [[np.zeros(0, np.int64)] * 3 + [np.zeros(0)] * 6]
    for batch in batches:
        if batch.num_rows:
            times = [batch[name].cast(pa.int64()).to_numpy() for name in ("window_start", "window_end")]
            figures = [batch[name].to_numpy().astype(np.float64) for name in _COLUMNS[4:]]
            parts.append([_numbers(batch, known), *times, *figures])
    series, start, end, *figures = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    windows = Windows(series, len(known), start, end, *figures)
    devices, metrics = zip(*known, strict=True) if known else ((), ())
    return _once(windows), Series(pa.array(devices, pa.string()), pa.array(metrics, pa.string()))


def _numbers(batch: pa.RecordBatch, known: dict[tuple[str, str], int]) -> np.ndarray:
    """The number of each row's series; those not met before get the next ones."""
    device, metric = (batch[name].dictionary_encode() for name in ("device_id", "metric"))
    width = len(metric.dictionary)
    pairs = device.indices.to_numpy().astype(np.int64) * width + metric.indices.to_numpy()
    found, place = np.unique(pairs, return_inverse=True)
    devices, metrics = device.dictionary.to_pylist(), metric.dictionary.to_pylist()
    numbers = [known.setdefault((devices[pair // width], metrics[pair % width]), len(known)) for pair in found.tolist()]
    return np.array(numbers, np.int64)[place]


def _once(windows: Windows) -> Windows:
    """Each window once: a stream that began anew closes some a second time."""
    # Windows begin on whole seconds, and those of five minutes never share a begin with those of one.
    keys = windows.series * _SECONDS + windows.start // 1_000_000
    unique, first = np.unique(keys, return_index=True)
    return windows if len(unique) == len(keys) else windows.where(np.sort(first))


def _days(start: datetime, end: datetime) -> Sequence[object]:
    first = start.date()
    return [first + timedelta(days=place) for place in range((end.date() - first).days + 1)]
