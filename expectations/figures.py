"""Figures about a whole day that are judged: its columns, age, volume, dead letters and the count of its messages."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from statistics import median
from typing import TYPE_CHECKING

from expectations.expectation import Figures

if TYPE_CHECKING:
    from expectations.data import Data

_EARLY = 0.05
"""Before this part of a day is over, its volume says nothing yet."""


def columns(data: "Data") -> Figures:
    """One row a column of the record or of the table: its type here and there."""
    names = [*data.wanted, *(name for name in data.found if name not in data.wanted)]
    rows = [
        {"column": name, "wanted": data.wanted.get(name, "no such column"), "found": data.found.get(name, "absent")}
        for name in names
    ]
    return _table(rows, {"column": "", "wanted": "", "found": ""}, len(names))


def age(column: str) -> "Callable[[Data], Figures]":
    """Minutes since the newest time in `column`, or since the day's start where there is none; no row for a day that
    is over."""

    def figures(data: "Data") -> Figures:
        kinds: dict[str, object] = {"newest": "", "minutes": 0.0}
        if data.day is not None and data.day != data.now.date():
            return _table([], kinds, 0)
        newest = _newest(data, column)
        since = newest or (_start(data) if data.day else None)
        minutes = (data.now - since).total_seconds() / 60 if since else float("inf")
        said = newest.isoformat() if newest else "none"
        return _table([{"newest": said, "minutes": max(minutes, 0.0)}], kinds, data.rows)

    return figures


def _newest(data: "Data", column: str) -> datetime | None:
    import pyarrow.compute as pc  # type: ignore[import-untyped]  # noqa: PLC0415  definitions load without Arrow

    found = [newest for piece in data.read((column,)) if (newest := pc.max(piece[column]).as_py()) is not None]
    return max(found).astimezone(UTC) if found else None


def volume(data: "Data") -> Figures:
    """Rows of the day against the median of the days before; today's by how much of it is over. No row where there
    is nothing to compare with."""
    kinds: dict[str, object] = {"rows": 0, "usual": 0.0, "part_of_day": 0.0, "ratio": 0.0}
    part = _part_over(data)
    usual = median(data.usual) * part if data.usual else 0.0
    if part < _EARLY or not usual:
        return _table([], kinds, data.rows)
    row = {"rows": data.rows, "usual": usual, "part_of_day": part, "ratio": data.rows / usual}
    return _table([row], kinds, data.rows)


def dead_letter_ratio(data: "Data") -> Figures:
    """Dead letters of the day against all that came in as a row."""
    valid = (data.others or {}).get("readings", 0)
    kinds: dict[str, object] = {"dead_letters": 0, "readings": 0, "ratio": 0.0}
    if not data.rows + valid:
        return _table([], kinds, 0)
    row = {"dead_letters": data.rows, "readings": valid, "ratio": data.rows / (data.rows + valid)}
    return _table([row], kinds, data.rows + valid)


def of_all(table: str) -> "Callable[[Data], Figures]":
    """Rows of the day against those of `table`, from which it was made."""

    def figures(data: "Data") -> Figures:
        other = (data.others or {}).get(table)
        kinds: dict[str, object] = {"rows": 0, table: 0, "ratio": 0.0}
        if not other:
            return _table([], kinds, data.rows)
        return _table([{"rows": data.rows, table: other, "ratio": data.rows / other}], kinds, data.rows)

    return figures


def batches(data: "Data") -> Figures:
    """What the stream says it wrote against what Delta counted; each message gave one reading, duplicate or dead
    letter at least. `difference` is 0 where both hold."""
    kinds: dict[str, object] = dict.fromkeys(
        ("messages", "valid", "dead_letters", "duplicates", "added", "difference"), 0
    )
    found = data.commits
    if found is None:
        return _table([], kinds, 0)
    said = found.valid + found.dead_letters + found.duplicates
    row = {
        "messages": found.messages,
        "valid": found.valid,
        "dead_letters": found.dead_letters,
        "duplicates": found.duplicates,
        "added": found.added,
        "difference": abs(found.valid - found.added) + max(0, found.messages - said),
    }
    return _table([row], kinds, found.messages)


def offsets(data: "Data") -> Figures:
    """Offsets of the day of which nothing is stored, less the duplicates: a message that left no row was one."""
    kinds: dict[str, object] = dict.fromkeys(("consumed", "stored", "duplicates", "unaccounted"), 0)
    found = data.offsets
    if found is None:
        return _table([], kinds, 0)
    missing = found.consumed - found.stored
    row = {
        "consumed": found.consumed,
        "stored": found.stored,
        "duplicates": found.duplicates,
        "unaccounted": max(0, missing - found.duplicates),
    }
    return _table([row], kinds, found.consumed)


def distinct(column: str) -> "Callable[[Data], Figures]":
    """How many different values a column has."""

    def figures(data: "Data") -> Figures:
        values = {value for piece in data.read((column,)) for value in piece[column].unique().to_pylist()}
        return _table(
            [{column: str(sorted(map(str, values))), "values": len(values)}], {column: "", "values": 0}, data.rows
        )

    return figures


def _start(data: "Data") -> datetime:
    return datetime.combine(data.day or data.now.date(), time(), UTC)


def _part_over(data: "Data") -> float:
    return min(1.0, max(0.0, (data.now - _start(data)) / timedelta(days=1)))


def _table(rows: "list[dict[str, object]]", kinds: "dict[str, object]", examined: int) -> Figures:
    """`kinds` names the columns, each with a value of its type."""
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415

    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, types[type(value)]) for name, value in kinds.items()])
    return Figures(pa.Table.from_pylist(rows, schema=schema), examined)
