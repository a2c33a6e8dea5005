"""Ten-second panes: what is left of the readings once they are counted, and what every longer window is put together
from.

A reading updates one pane; a window of a minute adds up six panes, one of five minutes thirty. A pane may come in
several parts (one a batch): parts are never merged before a window closes, so adding one costs nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

LENGTH = timedelta(seconds=10)
LENGTH_MICROS = int(LENGTH.total_seconds() * 1_000_000)


def of(readings: DataFrame) -> DataFrame:
    """Readings -> their panes, one row a device, metric and pane; times in microseconds since 1970.

    `m2` is the sum of squared distances from the pane's own mean: sums of squares about zero lose all digits on a
    value that is large and steady.
    """
    micros = F.unix_micros("event_time")
    at = F.struct(micros.alias("time"), F.col("value").alias("value"))
    grouped = readings.groupBy(
        "device_id", "metric", (micros - F.pmod(micros, F.lit(LENGTH_MICROS))).alias("pane_start")
    )
    return grouped.agg(
        F.count("value").alias("count"),
        F.avg("value").alias("mean"),
        (F.var_pop("value") * F.count("value")).alias("m2"),
        F.min("value").alias("min"),
        F.max("value").alias("max"),
        F.min(at).alias("first"),
        F.max(at).alias("last"),
    ).select(
        "device_id",
        "metric",
        "pane_start",
        "count",
        "mean",
        "m2",
        "min",
        "max",
        F.col("first.time").alias("first_time"),
        F.col("first.value").alias("first"),
        F.col("last.time").alias("last_time"),
        F.col("last.value").alias("last"),
    )


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
