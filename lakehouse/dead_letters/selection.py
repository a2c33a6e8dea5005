"""Which dead letters are meant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow.dataset as ds  # type: ignore[import-untyped]

from lakehouse.dead_letters.letter import Place
from sensorlake.errors import SelectionError


@dataclass(frozen=True)
class Selection:
    """All dead letters that fit every field that is not None. `reason` is a whole `dq_reason`, or the part before its
    colon: `wrong_type` means `wrong_type:value`, too. Days are those of arrival, UTC, both included."""

    reason: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    place: Place | None = None

    def filter(self) -> ds.Expression | None:
        """The rows; the days name partitions and the rest has statistics, so that other files stay closed."""
        conditions = []
        if self.reason is not None:
            reason = ds.field("dq_reason")
            conditions.append((reason == self.reason) | _between(reason, f"{self.reason}:", f"{self.reason};"))
        if self.first_day is not None:
            conditions.append(ds.field("event_date") >= self.first_day)
        if self.last_day is not None:
            conditions.append(ds.field("event_date") <= self.last_day)
        if self.place is not None:
            conditions.append(ds.field("source_partition") == self.place.partition)
            conditions.append(ds.field("source_offset") == self.place.offset)
        combined = None
        for condition in conditions:
            combined = condition if combined is None else combined & condition
        return combined


def between(reason: str | None, day: str | None = None, first: str | None = None, last: str | None = None) -> Selection:
    """A selection from what a user wrote: one day, or a span of days.

    Raises:
        SelectionError: something is no day, or a day and a span are both given.
    """
    if day and (first or last):
        raise SelectionError("give one day, or the first and the last, not both")
    days: Mapping[str, Any] = {"first_day": _day(day or first), "last_day": _day(day or last)}
    if days["first_day"] and days["last_day"] and days["first_day"] > days["last_day"]:
        raise SelectionError(f"the first day, {first}, is after the last, {last}")
    return Selection(reason or None, **days)


def _between(column: ds.Expression, low: str, high: str) -> ds.Expression:
    # ';' is the character after ':': a span of texts is skipped by statistics, a prefix is not.
    return (column >= low) & (column < high)


def _day(text: str | None) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SelectionError(f"{text!r} is no day: write it as YYYY-MM-DD") from None
