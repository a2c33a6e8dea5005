"""How far the lake's tables have got in the raw topic, as each commit of `readings` says: where a new checkpoint goes
on when the old one is lost."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

KEY = "position"


@dataclass(frozen=True)
class Position:
    """`offsets`: by partition the one after the last that is stored. `topic_id`: in which topic of that name."""

    topic_id: str
    offsets: Mapping[int, int]

    def after(self, arrived: pa.Table) -> "Position":
        """The position after these rows, too."""
        partition, offset = arrived["source_partition"].to_numpy(), arrived["source_offset"].to_numpy()
        ends = {int(each): int(offset[partition == each].max()) + 1 for each in np.unique(partition)}
        return Position(self.topic_id, {**self.offsets, **ends})

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
