"""Messages that are ready to be sent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Block:
    """Consecutive messages of a run, one element of each column a message.

    `due` holds the intended send times, microseconds since 1970-01-01 UTC, never falling; `values` how many values
    are inside, `beyond` whether one of them is beyond the limit of its metric. `first` is the number of the first
    message in its run.
    """

    keys: list[bytes]
    payloads: list[bytes]
    due: NDArray[np.int64]
    values: NDArray[np.int64]
    beyond: NDArray[np.bool_]
    first: int = 0

    def __len__(self) -> int:
        return len(self.payloads)

    @property
    def readings(self) -> int:
        return int(self.values.sum())

    @property
    def violations(self) -> int:
        return int(np.count_nonzero(self.beyond))

    def part(self, start: int, end: int) -> "Block":
        """Messages start <= i < end of this block."""
        return Block(
            self.keys[start:end],
            self.payloads[start:end],
            self.due[start:end],
            self.values[start:end],
            self.beyond[start:end],
            self.first + start,
        )
