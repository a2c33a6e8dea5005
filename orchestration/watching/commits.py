"""New versions of a Delta table that somebody else writes, told from its log."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deltalake import DeltaTable

# The lake query commits every 10 s: so many versions are told one by one, and more of them, after a pause of the
# daemon, as one. A day of downtime must not become 8,640 events.
ONE_BY_ONE = 5
# Each commit is a file to be read.
MOST_READ = 1000
# A vacuum or a compaction makes a version, but brings no row.
_BRINGS_ROWS = {"WRITE", "STREAMING UPDATE", "MERGE", "UPDATE"}


@dataclass(frozen=True)
class Commit:
    """One version of a table."""

    version: int
    time: datetime
    operation: str
    rows: int
    note: Mapping[str, Any] = field(default_factory=dict)
    """What the stream says of its batch: messages, valid, dead_letters, duplicates, batch, newest_received."""

    @property
    def brings_rows(self) -> bool:
        return self.operation in _BRINGS_ROWS


def since(table: "DeltaTable", version: int) -> list[Commit]:
    """The commits after `version`, the oldest first; of very many only the last thousand."""
    count = min(table.version() - version, MOST_READ)
    read = (of_history(entry) for entry in table.history(count)) if count > 0 else iter(())
    return sorted((commit for commit in read if commit.version > version), key=lambda commit: commit.version)


def of_history(entry: Mapping[str, Any]) -> Commit:
    """What delta-rs tells of a commit, whether it was written by delta-rs or by Spark."""
    metrics = entry.get("operationMetrics") or {}
    rows = metrics.get("num_added_rows", metrics.get("numOutputRows", 0))
    return Commit(
        version=int(entry["version"]),
        time=datetime.fromtimestamp(entry["timestamp"] / 1000, UTC),
        operation=str(entry.get("operation", "")),
        rows=int(rows or 0),
        note=_note(entry.get("userMetadata")),
    )


def told(commits: Iterable[Commit]) -> list[list[Commit]]:
    """The commits that bring rows, as they are told: each by itself, or all as one where they are many."""
    bringing = [commit for commit in commits if commit.brings_rows]
    if len(bringing) <= ONE_BY_ONE:
        return [[commit] for commit in bringing]
    return [bringing]


def metadata(commits: list[Commit], now: datetime) -> dict[str, Any]:
    """What one event says of these commits, the oldest first."""
    last = commits[-1]
    found: dict[str, Any] = {
        "rows_added": sum(commit.rows for commit in commits),
        "table_version": last.version,
        "versions": len(commits),
        "committed_at": last.time,
        "freshness_seconds": round((now - last.time).total_seconds(), 1),
    }
    for name in ("messages", "valid", "dead_letters", "duplicates"):
        if any(name in commit.note for commit in commits):
            found[name] = sum(int(commit.note.get(name, 0)) for commit in commits)
    if "batch" in last.note:
        found["batch"] = int(last.note["batch"])
    if newest := last.note.get("newest_received"):
        received = datetime.fromtimestamp(newest / 1e6, UTC)
        found["newest_received"] = received
        # From the arrival of a reading at the broker until it could be read in the lake.
        found["lag_seconds"] = round((last.time - received).total_seconds(), 1)
    return found


def _note(text: Any) -> Mapping[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
