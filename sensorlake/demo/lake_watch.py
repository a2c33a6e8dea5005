"""Watches the Delta tables as any reader of them would: what each commit made visible, and how old it was."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from deltalake import DeltaTable

_COLUMNS = ["received_at", "source_partition", "source_offset"]


@dataclass(frozen=True)
class Batches:
    """Sums over the batches of the lake query, which notes its counts in each commit."""

    commits: int = 0
    messages: int = 0
    valid: int = 0
    dead_letters: int = 0
    duplicates: int = 0

    def plus(self, commit: Mapping[str, Any]) -> "Batches":
        """With one entry of a table's history; commits without counts, such as a compaction, leave it as it is."""
        try:
            counts = json.loads(commit["userMetadata"])
            parts = [int(counts[name]) for name in ("messages", "valid", "dead_letters", "duplicates")]
        except (KeyError, TypeError, ValueError):
            return self
        messages, valid, dead_letters, duplicates = parts
        return Batches(
            self.commits + 1,
            self.messages + messages,
            self.valid + valid,
            self.dead_letters + dead_letters,
            self.duplicates + duplicates,
        )


def rows_from(table: DeltaTable, first_offsets: Mapping[int, int]) -> int:
    """Rows in a table that came from these offsets of the raw topic on."""
    wanted = pc.scalar(False)
    for partition, offset in first_offsets.items():
        wanted |= (pc.field("source_partition") == partition) & (pc.field("source_offset") >= offset)
    return int(table.to_pyarrow_dataset().count_rows(filter=wanted))


def rows_since(table: DeltaTable, column: str, since: float) -> int:
    """Rows whose time in `column` is `since` (seconds since 1970) or later."""
    first = pa.scalar(round(since * 1e6), pa.timestamp("us", "UTC"))
    return int(table.to_pyarrow_dataset().count_rows(filter=pc.field(column) >= first))


def rows(table: DeltaTable) -> int:
    return int(table.to_pyarrow_dataset().count_rows())


@dataclass
class LakeWatch:
    """Follows `readings` from `first_offsets` of the raw topic on, one look at a time.

    A reading's age is counted at the look that first shows it, so `freshness_s` is up to one pause too high.
    """

    table: DeltaTable
    first_offsets: Mapping[int, int]
    batches: Batches = field(default_factory=Batches)
    readings: int = 0
    ages: list[np.ndarray] = field(default_factory=list)
    _files: set[str] = field(init=False)
    _seen: dict[int, int] = field(init=False)
    _version: int = field(init=False)

    def __post_init__(self) -> None:
        self._files = set(self.table.file_uris())
        self._seen = {partition: offset - 1 for partition, offset in self.first_offsets.items()}
        self._version = self.table.version()

    def look(self) -> bool:
        """Take in what was committed since the last look; whether there was anything."""
        self.table.update_incremental()
        new = self.table.version() - self._version
        if new <= 0:
            return False
        shown_at = time.time()
        for commit in self.table.history(new):
            self.batches = self.batches.plus(commit)
        self._version += new
        now = set(self.table.file_uris())
        fresh = {uri.rpartition("/")[2] for uri in now - self._files}
        self._files = now
        for fragment in self.table.to_pyarrow_dataset().get_fragments():
            if fragment.path.rpartition("/")[2] in fresh:
                self._take(fragment.to_table(columns=_COLUMNS), shown_at)
        return True

    def freshness_s(self) -> np.ndarray:
        """Age of each reading when it could first be read here: shape (readings,), seconds."""
        return np.concatenate(self.ages) if self.ages else np.empty(0)

    def _take(self, read: pa.Table, shown_at: float) -> None:
        """Rows of a new file; those that a compaction only copied are known by their offsets."""
        partitions = read["source_partition"].to_numpy()
        offsets = read["source_offset"].to_numpy()
        received = read["received_at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy() / 1e6
        for partition in np.unique(partitions):
            new = (partitions == partition) & (offsets > self._seen.get(int(partition), -1))
            if new.any():
                self.ages.append(shown_at - received[new])
                self.readings += int(new.sum())
                self._seen[int(partition)] = int(offsets[new].max())
