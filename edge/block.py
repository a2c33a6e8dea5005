"""Messages that are ready to be sent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Block:
    """Consecutive messages of a run.

    `due` holds the intended send times, microseconds since 1970-01-01 UTC, one a message, never falling. `readings`
    counts the values inside, `violations` those beyond the limit of their metric; `first` is the number of the first
    message in its run.
    """

    keys: list[bytes]
    payloads: list[bytes]
    due: NDArray[np.int64]
    readings: int
    violations: int = 0
    first: int = 0
