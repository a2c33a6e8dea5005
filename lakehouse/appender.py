"""Batches appended to one Delta table, each of them once.

Written by delta-rs from Arrow: the same rows cost Spark several jobs, and 30 times the processor time
(docs/decisions/lake-written-from-arrow.md).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.dataset as ds  # type: ignore[import-untyped]
import structlog
from deltalake import CommitProperties, Transaction, write_deltalake

from lakehouse import retention
from lakehouse.lake import Lake
from lakehouse.tables import Table
from sensorlake.errors import CheckpointError

log = structlog.get_logger(__name__)

# A commit every few seconds leaves thousands of small files a day. They are merged by the process that wrote them, as
# a table has one writer.
_COMPACT_AFTER = 60
_FILE_BYTES = 128 * 2**20
_PARTITION = "partition."
_Partition = tuple[tuple[str, str], ...]
"""Its columns and their values; () is a table without any."""
# Between two batches stand the commits of compaction at most.
_COMMITS = 20


def _utc_day() -> date:
    return datetime.now(UTC).date()


class Appender:
    """The one writer of `table`. `application` names the stream's checkpoint in the table's log: with the batch's
    number it says which batches the table holds. `keep_days` is how long rows stay; for ever where it is None."""

    def __init__(
        self,
        lake: Lake,
        table: Table,
        application: str,
        *,
        keep_days: int | None = None,
        today: Callable[[], date] = _utc_day,
    ) -> None:
        self._specification = table
        self._partition = table.partition
        self._table = lake.open(table)
        self._schema = pa.schema(self._table.schema().to_arrow())
        self._application = f"{application}-{table.name}"
        self._name = table.name
        self._keep_days = keep_days
        self._today = today
        self._day = today()
        self._swept: date | None = None
        self._to_merge: list[_Partition] | None = None
        # What earlier runs left counts too: a stream that is started anew each day would otherwise never merge any.
        self._appends = sum(files - 1 for files in self._small_files().values())

    def append(
        self, rows: pa.Table, batch: int, note: str | None = None, more: Mapping[str, str] | None = None
    ) -> None:
        """Commit `rows`, which have at least the table's columns, with `note` as the commit's userMetadata and `more`
        beside it; a batch that the table holds already is left out.

        Raises:
            CheckpointError: as `holds`.
        """
        if self.holds(batch):
            log.info("batch is in the table already", table=self._name, batch_id=batch)
            return
        write_deltalake(
            self._table,
            rows.select(self._schema.names).cast(self._schema),
            mode="append",
            partition_by=self._partition,
            commit_properties=CommitProperties(
                custom_metadata=({"userMetadata": note} if note else {}) | dict(more or {}),
                app_transactions=[Transaction(self._application, batch)],
            ),
        )
        self._appends += 1

    def holds(self, batch: int) -> bool:
        """Is this batch the last one in the table?

        Raises:
            CheckpointError: the table holds a later one, so that this one holds other messages than it did then.
        """
        last = self._last_batch()
        if last > batch:
            raise CheckpointError(
                f"table {self._name} holds batch {last} of this checkpoint, which is at batch {batch} again: files of "
                "it are gone, or it is an old copy. Left out as known, messages would be lost. With the stream stopped "
                "run `sensorlake checkpoints restart` for this query (lake or anomalies), then start the stream."
            )
        return last == batch

    def tidy(self) -> None:
        """Merge small files, every 60 appends and when a day is over, so that it is left in few files.

        Those of one partition at each call, the newest first, as batches wait meanwhile: after an outage or a flood of
        late readings there may be a hundred. Afterwards, once a day, drop the days past retention, and delete the files
        that no version of the last week needs.
        """
        today = self._today()
        if self._appends >= _COMPACT_AFTER or self._day != today:
            self._appends, self._day = 0, today
            self._table.update_incremental()  # Spark appends to dead_letters, too
            self._to_merge = sorted(each for each, files in self._small_files().items() if files > 1)
        if self._to_merge is None:
            return
        if self._to_merge:
            self._merge(self._to_merge.pop())
        if self._to_merge:
            return
        self._to_merge = None
        if self._swept != today:
            self._drop_old_days(today)
            self._table.vacuum(dry_run=False, full=True)  # else only what was removed since the log's last checkpoint
            self._swept = today

    def _merge(self, partition: _Partition) -> None:
        only = [(name, "=", value) for name, value in partition] or None
        done = self._table.optimize.compact(partition_filters=only, target_size=_FILE_BYTES, max_concurrent_tasks=1)
        removed, added = done["numFilesRemoved"], done["numFilesAdded"]
        log.info("compacted", table=self._name, **dict(partition), files=removed, into=added)

    def _drop_old_days(self, today: date) -> None:
        if self._keep_days is None:
            return
        first = retention.first_kept(today, self._keep_days)
        if files := retention.drop_before(self._table, self._specification, first):
            log.info("days past retention dropped", table=self._name, before=first.isoformat(), files=files)

    def _small_files(self) -> Counter[_Partition]:
        """How many files of each partition could be merged."""
        files = pa.table(self._table.get_add_actions(flatten=True))
        small = files.filter(pc.less(files["size_bytes"], _FILE_BYTES // 2))
        names = [name for name in small.column_names if name.startswith(_PARTITION)]
        return Counter(
            tuple((name.removeprefix(_PARTITION), str(row[name])) for name in names)
            for row in small.select(["path", *names]).to_pylist()
        )

    def dataset(self) -> ds.Dataset:
        """The rows as this writer left them; filters skip files by their statistics."""
        return self._table.to_pyarrow_dataset()

    def commits(self) -> list[dict[str, Any]]:
        """What the last commits say of themselves, the newest first."""
        return self._table.history(_COMMITS)

    def notes(self) -> Iterator[str]:
        """The notes of the last commits, the newest first."""
        for commit in self.commits():
            if note := commit.get("userMetadata"):
                yield note

    def _last_batch(self) -> int:
        last = self._table.transaction_version(self._application)
        return -1 if last is None else int(last)
