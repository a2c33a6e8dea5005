"""Anomalies to the Delta table `anomalies`.

1. leave out the ids that the table holds already         nothing written
2. append the others, with the batch's number             a crash after it: the batch comes again and is left out by
3. Spark commits the offsets                              its number; under a new checkpoint step 1 finds its ids
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.appender import Appender
from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES


class DeltaSink:
    """`application` names the checkpoint in the table, as in lake.py; `keep_days` is how long anomalies stay."""

    def __init__(self, lake: Lake, application: str, keep_days: int | None = None) -> None:
        self._table = Appender(lake, ANOMALIES, application, keep_days=keep_days)

    def write(self, anomalies: pa.Table, batch_id: int) -> None:
        if anomalies.num_rows == 0:
            return
        _, first = np.unique(anomalies["anomaly_id"].to_numpy(), return_index=True)
        batch = anomalies.take(pa.array(np.sort(first)))
        new = pc.invert(pc.is_in(batch["anomaly_id"], value_set=self._known(batch)))
        self._table.append(batch.filter(new), batch_id)
        self._table.tidy()

    def _known(self, batch: pa.Table) -> pa.Array:
        """The ids in the table that the batch could hold: only files of its days and its span of time are opened."""
        days = pc.field("event_date").isin(pc.unique(batch["event_date"]))
        span = pc.min_max(batch["event_time"])
        inside = (pc.field("event_time") >= span["min"]) & (pc.field("event_time") <= span["max"])
        return (
            self._table.dataset().to_table(columns=["anomaly_id"], filter=days & inside)["anomaly_id"].combine_chunks()
        )
