"""What a suite judges: one day of a table, or the whole of a small one, and what is known around it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]


@dataclass(frozen=True)
class Offsets:
    """The messages that the broker took on one day, and what became of them."""

    consumed: int
    """From the first to the last offset of each partition."""
    stored: int
    """Offsets of which the lake holds a reading or a dead letter."""
    duplicates: int
    """Repeated readings that the stream left out of the batches in which those messages were."""


@dataclass(frozen=True)
class Commits:
    """The batches that the stream committed on one day, by its own counts and by Delta's."""

    messages: int
    valid: int
    dead_letters: int
    duplicates: int
    added: int
    """Rows that Delta counted in the commits of `readings`."""


@dataclass(frozen=True)
class Data:
    """`read` gives the rows piece by piece, with the columns asked for; a piece is small enough for pandas."""

    table: str
    wanted: Mapping[str, str]
    """Column -> type, as the record in contracts/schemas says."""
    found: Mapping[str, str]
    """Column -> type, as the table has them."""
    read: "Callable[[Sequence[str]], Iterable[pa.Table]]"
    rows: int
    now: datetime
    day: date | None = None
    usual: tuple[int, ...] = ()
    """How many rows each earlier day had that is compared with; none on a first day."""
    devices: frozenset[str] | None = None
    """The devices of the registry; None where it was not asked."""
    others: Mapping[str, int] | None = None
    """How many rows other tables have on the day, by name."""
    commits: Commits | None = None
    offsets: Offsets | None = None
