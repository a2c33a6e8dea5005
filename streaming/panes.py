"""Ten-second panes: what is left of the readings once they are counted, and what every longer window is put together
from.

A reading updates one pane; a window of a minute adds up six panes, one of five minutes thirty. A pane may come in
several parts (one a batch): parts are never merged before a window closes, so adding one costs nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

LENGTH = timedelta(seconds=10)
LENGTH_MICROS = int(LENGTH.total_seconds() * 1_000_000)

_KEYS = ("device_id", "metric", "pane_start")
_FIGURES = (
    *[("value", figure) for figure in ("count", "mean", "variance", "min", "max", "first", "last")],
    *[("time", figure) for figure in ("first", "last")],
)
_NAMES = {
    "value_count": "count",
    "value_mean": "mean",
    "m2": "m2",
    "value_min": "min",
    "value_max": "max",
    "time_first": "first_time",
    "value_first": "first",
    "time_last": "last_time",
    "value_last": "last",
}


def of(readings: pa.Table) -> pa.Table:
    """Readings (device_id, metric, event_time, value) -> their panes, one row a device, metric and pane; times in
    microseconds since 1970.

    `m2` is the sum of squared distances from the pane's own mean: sums of squares about zero lose all digits on a
    value that is large and steady.
    """
    time = readings["event_time"].cast(pa.int64()).to_numpy()
    value = readings["value"].to_numpy()
    ordered = pa.table(
        {
            "device_id": readings["device_id"],
            "metric": readings["metric"],
            "pane_start": time - time % LENGTH_MICROS,
            "time": time,
            "value": value,
        }
    ).take(pa.array(np.lexsort((value, time))))
    # One thread keeps the order of the rows, by which the first and the last are told.
    grouped = ordered.group_by(["device_id", "metric", "pane_start"], use_threads=False).aggregate(list(_FIGURES))
    m2 = pc.multiply(grouped["value_variance"], grouped["value_count"].cast(pa.float64()))
    return grouped.append_column("m2", m2).select([*_KEYS, *_NAMES]).rename_columns([*_KEYS, *_NAMES.values()])


@dataclass
class Panes:
    """The panes that a window not yet closed may still need."""

    parts: list[pa.Table] = field(default_factory=list)

    def add(self, part: pa.Table) -> None:
        if part.num_rows:
            self.parts.append(part)

    def starts(self) -> list[int]:
        """The distinct starts of all panes, ascending."""
        found: set[int] = set()
        for part in self.parts:
            found.update(pc.unique(part["pane_start"]).to_pylist())
        return sorted(found)

    def between(self, start: int, end: int) -> Iterable[pa.Table]:
        """The panes with start <= pane start < end."""
        for part in self.parts:
            column = part["pane_start"]
            chosen = part.filter(pc.and_(pc.greater_equal(column, start), pc.less(column, end)))
            if chosen.num_rows:
                yield chosen

    def forget_before(self, start: int) -> None:
        """Drop the panes that start earlier."""
        kept = [part.filter(pc.greater_equal(part["pane_start"], start)) for part in self.parts]
        self.parts = [part for part in kept if part.num_rows]
