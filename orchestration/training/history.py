"""Readings of the lake's last hours, of some devices, and what was said of them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from numpy.typing import NDArray

NOTHING, UNJUDGED, REFUTED, CONFIRMED = range(4)
"""Of a reading: nobody found it abnormal; a detector did; an operator said that it was not; or that it was."""

_COLUMNS = ["device_id", "metric", "event_time", "value"]


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
    data, within = table.to_pyarrow_dataset(), _within(start, end)
    counts: dict[str, int] = {}
    # Piece by piece: of ten thousand devices there are too many names for one column.
    for batch in data.scanner(columns=["device_id"], filter=within).to_batches():
        for row in pc.value_counts(batch["device_id"]).to_pylist():
            counts[row["values"]] = counts.get(row["values"], 0) + row["counts"]
    known = counts.keys() if among is None else counts.keys() & among
    enough = sorted(device for device in known if counts[device] >= least)
    drawn = [enough[place] for place in np.random.default_rng(seed).permutation(len(enough))[:devices]]
    found = data.to_table(columns=_COLUMNS, filter=within & pc.field("device_id").isin(drawn))
    found = found.filter(pc.is_finite(found["value"]))
    return found.group_by(_COLUMNS[:3]).aggregate([("value", "max")]).rename_columns(_COLUMNS)


def said_of(
    rows: pa.Table, anomalies: DeltaTable, verdicts: Mapping[str, bool], start: datetime, end: datetime
) -> NDArray[np.int64]:
    """What was said of each row of device_id, metric and event_time: one of the four above."""
    wanted = [*_COLUMNS[:3], "anomaly_id"]
    found = anomalies.to_pyarrow_dataset().to_table(columns=wanted, filter=_within(start, end))
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
