"""Readings of the lake's last hours, of some devices, and what was said of them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from numpy.typing import NDArray

from contracts.detectors import learned
from detection.detectors.missing import Missing

NOTHING, UNJUDGED, REFUTED, CONFIRMED = range(4)
"""Of a reading: nobody found it abnormal; a detector did; an operator said that it was not; or that it was."""

_COLUMNS = ["device_id", "metric", "event_time", "value"]


def active(table: DeltaTable, start: datetime, end: datetime, least: int) -> list[str]:
    """The devices that sent `least` readings between two moments, by name."""
    counts: dict[str, int] = {}
    # Piece by piece: of ten thousand devices there are too many names for one column.
    scanner = table.to_pyarrow_dataset().scanner(columns=["device_id"], filter=_within(start, end))
    for batch in scanner.to_batches():
        for row in pc.value_counts(batch["device_id"]).to_pylist():
            counts[row["values"]] = counts.get(row["values"], 0) + row["counts"]
    return sorted(device for device, count in counts.items() if count >= least)


def readings(
    table: DeltaTable,
    start: datetime,
    end: datetime,
    *,
    devices: int,
    least: int,
    seed: int,
    among: frozenset[str] | None = None,
) -> pa.Table:
    """Readings with `start` <= event_time < `end` of at most `devices` devices, drawn by lot from those that sent
    `least` of them and, where given, are `among` some; of two with the same time one."""
    within = _within(start, end)
    known = active(table, start, end, least)
    enough = known if among is None else [device for device in known if device in among]
    drawn = [enough[place] for place in np.random.default_rng(seed).permutation(len(enough))[:devices]]
    found = table.to_pyarrow_dataset().to_table(
        columns=_COLUMNS, filter=within & pc.field("device_id").isin(pa.array(drawn, pa.string()))
    )
    found = found.filter(pc.is_finite(found["value"]))
    return found.group_by(_COLUMNS[:3]).aggregate([("value", "max")]).rename_columns(_COLUMNS)


def said_of(
    rows: pa.Table, anomalies: DeltaTable, verdicts: Mapping[str, bool], start: datetime, end: datetime
) -> NDArray[np.int64]:
    """What was said of each row of device_id, metric and event_time: one of the four above."""
    wanted = [*_COLUMNS[:3], "anomaly_id"]
    # A silence has the time of the last reading before it, which was none of its.
    of_readings = _within(start, end) & (pc.field("detector") != learned(Missing.name))
    found = anomalies.to_pyarrow_dataset().to_table(columns=wanted, filter=of_readings)
    said: dict[tuple[str, str, int], int] = {}
    times = found["event_time"].cast(pa.int64()).to_pylist()
    keys = zip(found["device_id"].to_pylist(), found["metric"].to_pylist(), times, strict=True)
    for key, anomaly in zip(keys, found["anomaly_id"].to_pylist(), strict=True):
        verdict = verdicts.get(anomaly)
        told = UNJUDGED if verdict is None else CONFIRMED if verdict else REFUTED
        said[key] = max(said.get(key, NOTHING), told)
    if not said:
        return np.full(rows.num_rows, NOTHING)
    times = rows["event_time"].cast(pa.int64()).to_pylist()
    keys = zip(rows["device_id"].to_pylist(), rows["metric"].to_pylist(), times, strict=True)
    return np.array([said.get(key, NOTHING) for key in keys], dtype=np.int64)


def _within(start: datetime, end: datetime) -> pc.Expression:
    days = [start.date() + timedelta(days=place) for place in range((end.date() - start.date()).days + 1)]
    time = pc.field("event_time")
    return pc.field("event_date").isin(days) & (time >= pa.scalar(start)) & (time < pa.scalar(end))
