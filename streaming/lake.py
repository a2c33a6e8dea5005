"""The lake query: every consumed message ends in `readings` or `dead_letters`, and closed windows in `features`.

Spark reads and decodes a batch, which then is one Arrow table in this process; all that follows is done on that. What
a batch does, in order, and what a crash leaves behind at each point:

    1. decide which readings are repeated (recent ids) and which windows close (panes)    nothing written
    2. append dead letters                                                                2 written
    3. append readings, with the batch's counts in the commit                             2 and 3 written
    4. append features                                                                    2 to 4 written
    5. Spark commits the offsets                                                          done

A batch that was not committed is repeated with the same offsets. Its appends carry the checkpoint's id and the
batch's number, by which those that a table holds already are left out. Step 1 gives the same answer again, as its
memory is rebuilt from the readings *before* this batch's first offsets, and from nothing else.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import structlog
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.avro import field_names
from lakehouse.appender import Appender
from lakehouse.lake import Lake
from lakehouse.tables import DEAD_LETTERS, FEATURES, READINGS
from streaming import features, panes, position, validation
from streaming.panes import Panes
from streaming.position import Position
from streaming.recent_ids import RecentIds, halves

log = structlog.get_logger(__name__)

_NO_WATERMARK = -(2**62)
# What a dead letter may hold to travel with the readings. A flood of larger ones would fill the memory of this process.
_CARRIED_BYTES = 2048
_PROCESSORS = os.cpu_count() or 1
_REMEMBERED = (*field_names(READINGS.record)[:6], "received_at", "source_partition", "source_offset")


@dataclass
class LakeWriter:
    """Handles the batches of one run of the query; a query that starts again takes a new one.

    `application` names the checkpoint in the tables: a new checkpoint counts its batches from 0 again and must not be
    taken for the old one.
    """

    lake: Lake
    application: str
    max_message_bytes: int
    lateness_micros: int
    remember_micros: int
    read: Position = field(default_factory=lambda: Position("", {}))
    """How far the checkpoint has got. Each commit of `readings` notes how far the tables have, so that a lost
    checkpoint can begin where that one ended; those of version 0.1.0 did not, and then it counts from here."""
    keep_days: Mapping[str, int] = field(default_factory=dict)
    """Table name -> how long its rows stay (lakehouse/retention.py)."""
    every_seconds: float = 10.0
    """A batch that takes longer falls behind."""
    panes: Panes = field(default_factory=Panes)
    watermark: int = _NO_WATERMARK
    ids: RecentIds = field(init=False)
    remembers: bool = False
    newest: int = 0
    position: Position = field(init=False)
    is_behind: bool = False

    def __post_init__(self) -> None:
        self.ids = RecentIds(self.remember_micros)
        self.position = self.read
        self.readings, self.dead_letters, self.features = (
            Appender(self.lake, table, self.application, keep_days=self.keep_days.get(table.name))
            for table in (READINGS, DEAD_LETTERS, FEATURES)
        )

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        self.readings.holds(batch_id)  # where the checkpoint has gone back, nothing is written
        decoded = decode(batch, self.max_message_bytes)
        # A batch may take all the time until the next one, but not the processors that the alerts need, unless it would
        # fall further and further behind.
        began = time.monotonic()
        arrived = collect(decoded.coalesce(_PROCESSORS if self.is_behind else max(1, _PROCESSORS // 2)))
        if not self.remembers and arrived.num_rows:
            self._remember_before(arrived, batch_id)
            began = time.monotonic()  # which is done once
            known = position.last(self.readings.commits())
            if known is not None and known.topic_id == self.read.topic_id:
                self.position = known
            self.remembers = True
        self.position = self.position.after(arrived)
        is_valid = arrived["dq_reason"].is_null()
        valid, rejected = arrived.filter(is_valid), arrived.filter(pc.invert(is_valid))
        ids, received = halves(valid["reading_id"]), _micros(valid["received_at"])
        repeated = self.ids.repeated(*ids)
        kept = valid.filter(pa.array(~repeated))
        self.ids.add(ids[0][~repeated], ids[1][~repeated], received[~repeated])
        self.panes.add(panes.of(kept))
        closed = self._advance(_micros(kept["event_time"]), _micros(kept["received_at"]))

        self.newest = max(self.newest, int(received.max(initial=0)))
        counts = {
            "messages": _messages(arrived),
            "dead_letters": rejected.num_rows,
            "duplicates": int(repeated.sum()),
            "valid": kept.num_rows,
        }
        if rejected.num_rows:
            carried = rejected.filter(rejected["carried"])
            if carried.num_rows < rejected.num_rows:
                self._append_large_ones(decoded, batch_id)
            self.dead_letters.append(carried, batch_id)
        note = counts | {"batch": batch_id, "newest_received": self.newest}
        self.readings.append(kept, batch_id, json.dumps(note), self.position.as_metadata())
        if closed is not None:
            self.features.append(closed, batch_id)
        self.is_behind = time.monotonic() - began > self.every_seconds
        for appender in (self.readings, self.dead_letters, self.features):
            appender.tidy()
        log.info("lake batch", batch_id=batch_id, **counts, features=0 if closed is None else closed.num_rows)

    def _advance(self, event_time: NDArray[np.int64], received: NDArray[np.int64]) -> pa.Table | None:
        """Move the watermark over these readings; the features of the windows that this closes.

        The watermark follows the newest event time, but never past the newest arrival: a device whose clock is ahead,
        by less than is refused, must not close the windows of the others.
        """
        if len(event_time) == 0:
            return None
        before = self.watermark
        self.watermark = max(before, int(min(event_time.max(), received.max())) - self.lateness_micros)
        return features.close(self.panes, before, self.watermark)

    def _append_large_ones(self, decoded: DataFrame, batch_id: int) -> None:
        """Dead letters too large to be collected go to the table from Spark's tasks, decoded once more; they are
        rare."""
        (
            decoded.where(F.col("dq_reason").isNotNull() & ~F.col("carried"))
            .select(*field_names(DEAD_LETTERS.record))
            .coalesce(1)
            .write.format("delta")
            .mode("append")
            .option("txnAppId", f"{self.application}-{DEAD_LETTERS.name}-large")
            .option("txnVersion", batch_id)
            .save(DEAD_LETTERS.path(self.lake.root))
        )

    def _remember_before(self, arrived: pa.Table, batch_id: int) -> None:
        """Rebuild ids, panes and watermark from the readings that the lake took before this batch.

        How far back counts from the newest of those, not from this batch: after a silent night the windows that it left
        open still have to close.
        """
        horizon = max(self.remember_micros, self.lateness_micros + 2 * features.LONGEST)
        self.newest = self._newest_before(batch_id)
        first_received = int(_micros(arrived["received_at"]).min())
        since = datetime.fromtimestamp((min(first_received, self.newest or first_received) - horizon) / 1e6, UTC)
        recent = (pc.field("received_at") >= since) & (pc.field("event_date") >= (since - timedelta(days=8)).date())
        # Piece by piece: ten minutes of a large fleet are millions of readings.
        pieces = self.readings.dataset().to_batches(
            columns=list(_REMEMBERED), filter=recent, batch_readahead=2, fragment_readahead=1
        )
        first_offsets, newest_event, newest_received, count = _first_offsets(arrived), 0, 0, 0
        for piece in pieces:
            readings = _before(pa.Table.from_batches([piece]), first_offsets)
            if readings.num_rows == 0:
                continue
            event_time, received = _micros(readings["event_time"]), _micros(readings["received_at"])
            self.ids.add(*halves(readings["reading_id"]), received)
            self.panes.add(panes.of(readings))
            newest_event = max(newest_event, int(event_time.max()))
            newest_received = max(newest_received, int(received.max()))
            count += readings.num_rows
        if count:
            self.watermark = min(newest_event, newest_received) - self.lateness_micros
            self.panes.forget_before(self.watermark - features.LONGEST)
            log.info("lake memory rebuilt", readings=count, ids=len(self.ids))

    def _newest_before(self, batch_id: int) -> int:
        """When the newest reading before this batch arrived, as the last batch's commit says; 0 if none does."""
        for text in self.readings.notes():
            note = json.loads(text)
            if note.get("batch", batch_id) < batch_id:
                return int(note["newest_received"])
        return 0


def decode(batch: DataFrame, max_message_bytes: int) -> DataFrame:
    """Kafka rows -> one row a reading, or one a dead letter, with the columns of both; `carried` says which dead
    letters are small enough to be collected."""
    rows = validation.readings_and_dead_letters(validation.judge(batch, max_message_bytes))
    size = sum((F.coalesce(F.octet_length(name), F.lit(0)) for name in ("payload", "key")), F.lit(0))
    return rows.withColumns({"replay_count": validation.replay_count(), "carried": size <= _CARRIED_BYTES})


def collect(decoded: DataFrame) -> pa.Table:
    """The decoded rows in this process, each partition's in the order of their offsets. What only dead letters need is
    left out of the others; payload and key also of those that are too large."""
    rejected = F.col("dq_reason").isNotNull()
    letters = dict.fromkeys(("source_topic", "replay_count"), rejected)
    letters |= {name: rejected & F.col("carried") for name in ("payload", "key")}
    of_letters = [F.when(here, F.col(name)).alias(name) for name, here in letters.items()]
    table = decoded.select(*field_names(READINGS.record), "dq_reason", "carried", *of_letters).toArrow()
    # Spark hands them out in this order; a stable sort costs nothing then, and nothing is lost should it ever not.
    places = np.lexsort((table["source_offset"].to_numpy(), table["source_partition"].to_numpy()))
    return table if (np.diff(places) == 1).all() else table.take(pa.array(places))


def _messages(arrived: pa.Table) -> int:
    """How many messages these rows came from: those of one message stand together."""
    if arrived.num_rows == 0:
        return 0
    places = np.stack([arrived["source_partition"].to_numpy(), arrived["source_offset"].to_numpy()])
    return int((np.diff(places, axis=1) != 0).any(axis=0).sum()) + 1


def _first_offsets(arrived: pa.Table) -> dict[int, int]:
    partition, offset = arrived["source_partition"].to_numpy(), arrived["source_offset"].to_numpy()
    return {int(each): int(offset[partition == each].min()) for each in np.unique(partition)}


def _before(readings: pa.Table, first_offsets: dict[int, int]) -> pa.Table:
    """Those that stand before the first offsets of a batch; all of a partition that the batch has nothing of."""
    partition, offset = readings["source_partition"].to_numpy(), readings["source_offset"].to_numpy()
    before = np.ones(len(partition), dtype=bool)
    for each, first in first_offsets.items():
        before &= (partition != each) | (offset < first)
    return readings.filter(pa.array(before))


def _micros(times: pa.ChunkedArray) -> NDArray[np.int64]:
    """Microseconds since 1970."""
    return times.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
