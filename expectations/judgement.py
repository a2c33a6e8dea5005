"""Judgements by Great Expectations, named here and built where they are needed: its import takes seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Judgement:
    """An expectation of Great Expectations by the name of its class, and the columns that it looks at."""

    kind: str
    columns: tuple[str, ...]
    options: Mapping[str, Any]

    def build(self, **more: Any) -> Any:
        """The expectation itself; `more`: options that every kind knows, such as `meta`."""
        import great_expectations.expectations as kinds  # noqa: PLC0415  takes seconds to import

        return getattr(kinds, self.kind)(**self.options, **more)


def absent(column: str) -> Judgement:
    """Every value is null."""
    return Judgement("ExpectColumnValuesToBeNull", (column,), {"column": column})


def between(column: str, low: float | None = None, high: float | None = None, *, above: bool = False) -> Judgement:
    """Every value lies in [low, high], or in (low, high] where `above`; nulls and NaN pass."""
    options = {"column": column, "min_value": low, "max_value": high, "strict_min": above}
    return Judgement("ExpectColumnValuesToBeBetween", (column,), options)


def one_of(column: str, values: Sequence[str] | Sequence[bool]) -> Judgement:
    """Nulls pass."""
    return Judgement("ExpectColumnValuesToBeInSet", (column,), {"column": column, "value_set": list(values)})


def matching(column: str, pattern: str) -> Judgement:
    return Judgement("ExpectColumnValuesToMatchRegex", (column,), {"column": column, "regex": pattern})


def at_most(smaller: str, larger: str, *, less: bool = False) -> Judgement:
    """smaller <= larger in every row that has both, or smaller < larger where `less`."""
    options = {"column_A": larger, "column_B": smaller, "or_equal": not less}
    return Judgement(
        "ExpectColumnPairValuesAToBeGreaterThanB",
        (smaller, larger),
        options | {"ignore_row_if": "either_value_is_missing"},
    )


def equal(one: str, other: str) -> Judgement:
    """The two are the same in every row that has both."""
    options = {"column_A": one, "column_B": other, "ignore_row_if": "either_value_is_missing"}
    return Judgement("ExpectColumnPairValuesToBeEqual", (one, other), options)
