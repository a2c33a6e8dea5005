"""Keeps one Delta table in few files and within its retention; for its owner only, as all of it writes.

1. drop the days past retention     a crash after it: done; the files are still there for readers of older versions
2. merge small files                a crash in it: the old files stay in use, the new ones go with a later vacuum
3. vacuum                           a crash in it: the rest goes with the next one

Each step starts from what the table's log says, so that running all of it again changes nothing.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import date

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from deltalake import DeltaTable

from lakehouse import retention
from lakehouse.tables import Table

_FILE_BYTES = 128 * 2**20


@dataclass(frozen=True)
class Upkeep:
    """What was done to a table, in files."""

    dropped: int
    merged: int
    into: int
    deleted: int
    """Files on storage that no version of the table's kept history needs."""

    def as_dict(self) -> dict[str, int]:
        return {f"files_{name}": number for name, number in asdict(self).items()}


@dataclass(frozen=True)
class Shape:
    """How a table lies on storage."""

    small_files: int
    """Files under half of the size that merging aims at."""
    most_files_a_partition: int
    oldest: str | None
    """First and last day."""
    newest: str | None

    def as_dict(self) -> dict[str, int | str]:
        return {name: value for name, value in asdict(self).items() if value is not None}


def maintain(found: DeltaTable, table: Table, keep_days: int | None, today: date) -> Upkeep:
    """Bring `found`, which is `table`, into order. Rows change in no other way than by going with their day.

    What vacuum deletes follows the table's own property: the thresholds keep the files of a year of versions.
    """
    dropped = 0
    if keep_days is not None:
        dropped = retention.drop_before(found, table, retention.first_kept(today, keep_days))
    merged = found.optimize.compact(target_size=_FILE_BYTES, max_concurrent_tasks=1)
    # Full: else only files that were removed since the log's last checkpoint, and none that a crash left.
    deleted = found.vacuum(dry_run=False, full=True)
    return Upkeep(dropped, int(merged["numFilesRemoved"]), int(merged["numFilesAdded"]), len(deleted))


def shape(found: DeltaTable, table: Table) -> Shape:
    """Read from the log alone."""
    files = pa.table(found.get_add_actions(flatten=True))
    small = int(pc.sum(pc.less(files["size_bytes"], _FILE_BYTES // 2)).as_py() or 0)
    by_partition = Counter(path.rpartition("/")[0] for path in files["path"].to_pylist())
    most = max(by_partition.values(), default=0)
    column = retention.day_column(table)
    if column is None or files.num_rows == 0:
        return Shape(small, most, None, None)
    span = pc.min_max(files[f"partition.{column}"]).as_py()
    return Shape(small, most, str(span["min"]), str(span["max"]))
