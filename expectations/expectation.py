"""What is expected of a table, and what a check found.

An expectation judges either every row of the table, or the rows of a small table of figures about it (`figures`):
one a device, one a column, or a single one. Great Expectations judges in both cases.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from expectations.judgement import Judgement

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

    from expectations.data import Data

SHOWN = 20
"""How many offending rows a finding shows at most; their number is always exact."""


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Figures:
    """A small table about the data. `examined`: how many things of the data were looked at for it."""

    rows: "pa.Table"
    examined: int


@dataclass(frozen=True)
class Expectation:
    """One thing that has to be so.

    `blocking`: what is made from the table would be wrong where this does not hold.
    """

    name: str
    description: str
    judgement: Judgement
    severity: Severity = Severity.ERROR
    blocking: bool = False
    needs: tuple[str, ...] = ()
    """The columns of the table that are read for it."""
    derive: "Callable[[pa.Table], Mapping[str, pa.Array]] | None" = None
    """For an expectation of rows: columns that are worked out of each piece of the table, to be judged or shown."""
    figures: "Callable[[Data], Figures] | None" = None
    weight: str | None = None
    """The column of the figures that says how many offenders a row stands for; each is one without it."""
    observed: str | None = None
    """The column of the figures, of one row, that holds the figure judged."""


@dataclass(frozen=True)
class Suite:
    """The expectations of one table, with the columns by which an offending row is known."""

    table: str
    shown: tuple[str, ...]
    expectations: tuple[Expectation, ...]


@dataclass(frozen=True)
class Finding:
    """What one check found. `sample`: offending rows, `SHOWN` at most, as text where they are not plain values."""

    table: str
    check: str
    severity: Severity
    passed: bool
    examined: int
    offenders: int
    observed: float | None = None
    detail: str = ""
    sample: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
