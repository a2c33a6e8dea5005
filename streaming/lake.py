"""The lake query: every consumed message ends in `readings` or `dead_letters`, and closed windows in `features`.

One batch is decoded once and cached; all that follows works on the cached rows. What a batch does, in order, and what
a crash leaves behind at each point:

    1. decide which readings are repeated (recent ids) and which windows close (panes)    nothing written
    2. append dead letters                                                                2 written
    3. append readings, with the batch's counts in the commit                             2 and 3 written
    4. append features                                                                    2 to 4 written
    5. Spark commits the offsets                                                          done

A batch that was not committed is repeated with the same offsets. Its appends carry the checkpoint's id and the
batch's number, by which Delta skips those that it holds already. Step 1 gives the same answer again, as its memory is
rebuilt from the readings *before* this batch's first offsets, and from nothing else.
"""

import json
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import structlog
from delta import DeltaTable
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.avro import field_names
from lakehouse.tables import DEAD_LETTERS, FEATURES, READINGS, Table
from streaming import features, panes, validation
from streaming.panes import Panes
from streaming.recent_ids import RecentIds

log = structlog.get_logger(__name__)

_NO_WATERMARK = -(2**62)
# Between two batches stand the commits of compaction at most.
_COMMITS = 20


@dataclass
class LakeWriter:
    """Handles the batches of one run of the query; a query that starts again takes a new one.

    `application` names the checkpoint to Delta: a new checkpoint counts its batches from 0 again and must not be
    taken for the old one.
    """

    spark: SparkSession
    bucket: str
    application: str
    max_message_bytes: int
    lateness_micros: int
    remember_micros: int
    panes: Panes = field(default_factory=Panes)
    watermark: int = _NO_WATERMARK
    ids: RecentIds = field(init=False)
    remembers: bool = False
    newest: int = 0

    def __post_init__(self) -> None:
        self.ids = RecentIds(self.remember_micros)

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        rows = _rows(batch, self.max_message_bytes).persist(StorageLevel.MEMORY_AND_DISK)
        try:
            self._write(rows, batch_id)
        finally:
            rows.unpersist()

    def _write(self, rows: DataFrame, batch_id: int) -> None:
        arrivals = Arrivals.of(rows)
        if not self.remembers and arrivals.messages:
            self._remember_before(arrivals, batch_id)
            self.remembers = True
        repeated = self.ids.repeated(arrivals.high, arrivals.low)
        kept = _without(rows, arrivals, repeated)
        self.ids.add(arrivals.high[~repeated], arrivals.low[~repeated], arrivals.received[~repeated])
        self.panes.add(panes.of(kept).toArrow())
        closed = self._advance(arrivals.event_time[~repeated], arrivals.received[~repeated])

        if len(arrivals.received):
            self.newest = max(self.newest, int(arrivals.received.max()))
        counts = arrivals.counts() | {"duplicates": int(repeated.sum()), "valid": int((~repeated).sum())}
        if arrivals.dead_letters:
            dead = rows.where(F.col("dq_reason").isNotNull())
            letters = dead.withColumn("replay_count", validation.replay_count())
            self._append(DEAD_LETTERS, letters.select(*field_names(DEAD_LETTERS.record)), batch_id)
        note = counts | {"batch": batch_id, "newest_received": self.newest}
        self._append(READINGS, kept.select(*field_names(READINGS.record)), batch_id, json.dumps(note))
        if closed is not None:
            self._append(FEATURES, self.spark.createDataFrame(closed), batch_id)
        log.info("lake batch", batch_id=batch_id, **counts, features=0 if closed is None else closed.num_rows)

    def _advance(self, event_time: np.ndarray, received: np.ndarray) -> pa.Table | None:
        """Move the watermark over these readings; the features of the windows that this closes.

        The watermark follows the newest event time, but never past the newest arrival: a device whose clock is ahead,
        by less than is refused, must not close the windows of the others.
        """
        if len(event_time) == 0:
            return None
        before = self.watermark
        self.watermark = max(before, int(min(event_time.max(), received.max())) - self.lateness_micros)
        return features.close(self.panes, before, self.watermark)

    def _remember_before(self, arrivals: "Arrivals", batch_id: int) -> None:
        """Rebuild ids, panes and watermark from the readings that the lake took before this batch.

        How far back counts from the newest of those, not from this batch: after a silent night the windows that it left
        open still have to close.
        """
        horizon = max(self.remember_micros, self.lateness_micros + 2 * features.LONGEST)
        self.newest = self._newest_before(batch_id)
        newest = min(arrivals.first_received, self.newest or arrivals.first_received)
        since = F.timestamp_micros(F.lit(newest - horizon))
        # A partition that this batch has nothing of may have brought readings all the same.
        before = ~F.col("source_partition").isin(list(arrivals.first_offsets))
        for partition, offset in arrivals.first_offsets.items():
            before = before | ((F.col("source_partition") == partition) & (F.col("source_offset") < offset))
        table = self.spark.read.format("delta").load(READINGS.path(self.bucket))
        recent = table.where((F.col("received_at") >= since) & before & (F.col("event_date") >= F.to_date(since) - 8))
        known = Arrivals.of(recent.withColumn("dq_reason", F.lit(None).cast("string")))
        if len(known.high) == 0:
            return
        self.ids.add(known.high, known.low, known.received)
        self.watermark = int(min(known.event_time.max(), known.received.max())) - self.lateness_micros
        self.panes.add(panes.of(recent).toArrow())
        self.panes.forget_before(self.watermark - features.LONGEST)
        log.info("lake memory rebuilt", readings=len(known.high), ids=len(self.ids))

    def _newest_before(self, batch_id: int) -> int:
        """When the newest reading before this batch arrived, as the last batch's commit says; 0 if none does."""
        commits = DeltaTable.forPath(self.spark, READINGS.path(self.bucket)).history(_COMMITS)
        for row in commits.where(F.col("userMetadata").isNotNull()).orderBy(F.desc("version")).collect():
            note = json.loads(row.userMetadata)
            if note.get("batch", batch_id) < batch_id:
                return int(note["newest_received"])
        return 0

    def _append(self, table: Table, rows: DataFrame, batch_id: int, metadata: str | None = None) -> None:
        writer = (
            rows.coalesce(1)
            .write.format("delta")
            .mode("append")
            .option("txnAppId", f"{self.application}-{table.name}")
            .option("txnVersion", batch_id)
        )
        if metadata:
            writer = writer.option("userMetadata", metadata)
        writer.save(table.path(self.bucket))


@dataclass(frozen=True)
class Arrivals:
    """What is decided by, of each reading of a batch in order of arrival: arrays of equal length, times in
    microseconds."""

    high: np.ndarray
    low: np.ndarray
    event_time: np.ndarray
    received: np.ndarray
    partition: np.ndarray
    offset: np.ndarray
    messages: int
    dead_letters: int
    first_received: int
    first_offsets: dict[int, int]

    @classmethod
    def of(cls, rows: DataFrame) -> "Arrivals":
        table = rows.select(
            F.unhex("reading_id").alias("id"),
            F.unix_micros("event_time").alias("event_time"),
            F.unix_micros("received_at").alias("received"),
            F.col("source_partition").alias("partition"),
            F.col("source_offset").alias("offset"),
            F.col("dq_reason").isNull().alias("valid"),
        ).toArrow()
        partition, offset = table["partition"].to_numpy(), table["offset"].to_numpy()
        order = np.lexsort((offset, partition))
        valid = table["valid"].to_numpy()[order]
        chosen = order[valid]
        ids = b"".join(table["id"].take(pa.array(chosen)).to_pylist())
        halves = np.frombuffer(ids, dtype=">i8").reshape(-1, 2).astype(np.int64)
        places = np.stack([partition[order], offset[order]])
        distinct = int((np.diff(places, axis=1) != 0).any(axis=0).sum()) + 1 if len(order) else 0
        received = table["received"].to_numpy()
        return cls(
            high=halves[:, 0].copy(),
            low=halves[:, 1].copy(),
            event_time=table["event_time"].to_numpy()[chosen].astype(np.int64),
            received=received[chosen],
            partition=partition[chosen],
            offset=offset[chosen],
            messages=distinct,
            dead_letters=int((~valid).sum()),
            first_received=int(received.min()) if len(order) else 0,
            first_offsets={int(p): int(offset[partition == p].min()) for p in np.unique(partition)},
        )

    def counts(self) -> dict[str, int]:
        return {"messages": self.messages, "dead_letters": self.dead_letters}


def _rows(batch: DataFrame, max_message_bytes: int) -> DataFrame:
    """Kafka rows -> one row a reading, or one a dead letter, with the columns of both."""
    return validation.readings_and_dead_letters(validation.judge(batch, max_message_bytes))


def _without(rows: DataFrame, arrivals: Arrivals, repeated: np.ndarray) -> DataFrame:
    """The valid rows but for the repeated ones."""
    valid = rows.where(F.col("dq_reason").isNull())
    if not repeated.any():
        return valid
    spark = rows.sparkSession
    places = spark.createDataFrame(
        pa.table(
            {
                "source_partition": pa.array(arrivals.partition[repeated], pa.int32()),
                "source_offset": pa.array(arrivals.offset[repeated], pa.int64()),
                "high": pa.array(arrivals.high[repeated], pa.int64()),
            }
        )
    )
    high = F.conv(F.substring("reading_id", 1, 16), 16, -10).cast("bigint")
    keyed = valid.withColumn("high", high)
    return keyed.join(F.broadcast(places), ["source_partition", "source_offset", "high"], "left_anti").drop("high")
