"""Which days of a table its commits since some version changed, read from its log."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pyarrow as pa  # type: ignore[import-untyped]
from deltalake import DeltaTable
from pyarrow import fs  # type: ignore[import-untyped]

from lakehouse import commit_log
from lakehouse.lake import Lake
from lakehouse.tables import Table


@dataclass(frozen=True)
class Changes:
    """The table's `version`, and the time of the last change of each day that has changed."""

    version: int
    days: Mapping[date, datetime] = field(default_factory=dict)


def since(lake: Lake, table: Table, version: int | None) -> Changes:
    """What changed after `version`; with None, or where the log does not reach back to it, every day that has rows.

    Compaction and what retention deletes change no day: the first moves rows, the second ends them.

    Raises:
        LakeError: the table is not there yet.
    """
    known = lake.existing(table)
    last = known.version()
    if version is None:
        return Changes(last, _days_with_rows(known))
    log = commit_log.of(lake, table)
    found: dict[date, datetime] = {}
    with ThreadPoolExecutor(commit_log.THREADS) as threads:
        for days in threads.map(lambda number: _days_of(log, number), range(version + 1, last + 1)):
            if days is None:
                return Changes(last, _days_with_rows(known))
            for day, moment in days.items():
                found[day] = max(moment, found.get(day, moment))
    return Changes(last, found)


def _days_of(log: fs.FileSystem, version: int) -> dict[date, datetime] | None:
    added = commit_log.actions(log, version, "add")
    if added is None:
        return None
    return {
        date.fromisoformat(each["partitionValues"]["event_date"]): _moment(each["modificationTime"])
        for each in added
        if each["dataChange"]
    }


def _days_with_rows(table: DeltaTable) -> dict[date, datetime]:
    files = pa.table(table.get_add_actions(flatten=True))
    found: dict[date, datetime] = {}
    for day, moment in zip(
        files["partition.event_date"].to_pylist(), files["modification_time"].to_pylist(), strict=True
    ):
        at = _moment(moment)
        found[day] = max(at, found.get(day, at))
    return found


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
