"""How far the lake's tables have got in the raw topic, as each commit of `readings` says: where a new checkpoint goes
on when the old one is lost."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

KEY = "position"
_NEWEST = (timedelta(hours=1), timedelta(days=1))


@dataclass(frozen=True)
class Position:
    """`offsets`: by partition the one after the last that is stored. `topic_id`: in which topic of that name; empty
    where nobody noted it."""

    topic_id: str
    offsets: Mapping[int, int]

    def after(self, arrived: pa.Table) -> "Position":
        """The position after these rows, too."""
        partition, offset = arrived["source_partition"].to_numpy(), arrived["source_offset"].to_numpy()
        ends = {int(each): int(offset[partition == each].max()) + 1 for each in np.unique(partition)}
        return Position(self.topic_id, {**self.offsets, **ends})

    def later(self, other: "Position") -> "Position":
        """Of each partition what is further."""
        offsets = {
            each: max(self.offsets.get(each, 0), other.offsets.get(each, 0))
            for each in self.offsets.keys() | other.offsets.keys()
        }
        return Position(self.topic_id, offsets)

    def as_metadata(self) -> dict[str, str]:
        """What a commit says of it."""
        offsets = {str(partition): offset for partition, offset in self.offsets.items()}
        return {KEY: json.dumps({"topic_id": self.topic_id, "offsets": offsets})}


def last(commits: Iterable[Mapping[str, Any]]) -> Position | None:
    """What the newest of these commits that has one says, the newest first; None where none has."""
    for commit in commits:
        if text := commit.get(KEY):
            found = json.loads(text)
            return Position(found["topic_id"], {int(key): int(offset) for key, offset in found["offsets"].items()})
    return None


def of_rows(tables: Sequence[ds.Dataset], newest: datetime, partitions: Iterable[int]) -> Position:
    """The position of tables whose commits note none, as version 0.1.0 wrote them: by their rows. `newest`: when the
    last of those arrived; `partitions`: those of which rows are looked for, among the newest rows first."""
    for span in (*_NEWEST, None):
        recent = None if span is None else pc.field("received_at") >= newest - span
        found = Position("", {})
        for table in tables:
            for piece in table.to_batches(columns=["source_partition", "source_offset"], filter=recent):
                found = found.later(Position("", {}).after(pa.Table.from_batches([piece])))
        if set(partitions) <= found.offsets.keys():
            break
    return found
