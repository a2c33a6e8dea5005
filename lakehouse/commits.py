"""What the stream noted in its commits of `readings` on one day: the counts of each batch.

The log is read as it lies in the storage, from the day's end backwards, so that a day costs what it holds and not how
long ago it was.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from pyarrow import fs  # type: ignore[import-untyped]

from lakehouse import commit_log
from lakehouse.lake import Lake
from lakehouse.tables import Table

_TOGETHER = 64
# A stream that lags commits a day's last messages on the next one.
_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Batch:
    """One batch of the lake query. Times in microseconds since 1970; `added`: rows that Delta counted."""

    committed: int
    newest_received: int
    messages: int
    valid: int
    dead_letters: int
    duplicates: int
    added: int


def batches(lake: Lake, table: Table, day: date) -> list[Batch] | None:
    """The batches committed from the start of `day` to an hour after its end, the oldest first; None where the log of
    that time is gone, at least in part."""
    start = datetime.combine(day, time(), UTC)
    known = lake.open(table)
    try:
        known.load_as_version(start + timedelta(days=1) + _AFTER)
    except FileNotFoundError:
        return None
    found: list[Batch] = []
    for commit in _backwards(commit_log.of(lake, table), known.version()):
        if commit is None:
            return None
        if commit["timestamp"] < start.timestamp() * 1000:
            break
        if (batch := _batch(commit)) is not None:
            found.append(batch)
    return found[::-1]


def _backwards(log: fs.FileSystem, last: int) -> Iterator[dict | None]:
    """What each commit says of itself, the newest first; None, and no more, where the log ends too early."""

    def read(version: int) -> dict | None:
        found = commit_log.actions(log, version, "commitInfo")
        return found[0] if found else None

    with ThreadPoolExecutor(commit_log.THREADS) as threads:
        for newest in range(last, -1, -_TOGETHER):
            for commit in threads.map(read, range(newest, max(-1, newest - _TOGETHER), -1)):
                yield commit
                if commit is None:
                    return


def _batch(commit: dict) -> Batch | None:
    """The batch of a commit; None for commits that are none, such as compaction."""
    try:
        note = json.loads(commit["userMetadata"])
        return Batch(
            committed=int(commit["timestamp"]) * 1000,
            newest_received=int(note["newest_received"]),
            messages=int(note["messages"]),
            valid=int(note["valid"]),
            dead_letters=int(note["dead_letters"]),
            duplicates=int(note["duplicates"]),
            added=int(commit.get("operationMetrics", {}).get("num_added_rows", 0)),
        )
    except (KeyError, TypeError, ValueError):
        return None
