"""Reading the table `dead_letters`, which only the stream writes: a piece at a time, however large it is."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from heapq import nlargest

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from contracts.avro import field_names
from lakehouse.dead_letters.letter import DeadLetter, Place, printable
from lakehouse.dead_letters.selection import Selection
from lakehouse.lake import Lake
from lakehouse.tables import DEAD_LETTERS
from sensorlake.errors import DeadLetterError

_COLUMNS = field_names(DEAD_LETTERS.record)
# A message may have megabytes: few at a time where the payload is read, many where it is not.
_LETTERS = 64
_ROWS = 50_000
_DEVICE = 60


@dataclass(frozen=True)
class Group:
    """The dead letters of one reason and day."""

    reason: str
    day: date
    count: int
    newest: datetime
    example: Place
    """The newest one."""
    device: str
    """Its key, which is the device where the sender keeps to the wire format."""


def groups(lake: Lake, selection: Selection) -> list[Group]:
    """Counts by reason and day, the newest day first."""
    found: dict[tuple[str, date], Group] = {}
    columns = [name for name in _COLUMNS if name != "payload"]
    for rows in _pieces(lake, selection, columns, _ROWS):
        table = pa.Table.from_batches([rows])
        keys = ["dq_reason", "event_date"]
        for row in table.group_by(keys).aggregate([("received_at", "max"), ("received_at", "count")]).to_pylist():
            key, count = (row["dq_reason"], row["event_date"]), row["received_at_count"]
            before = found.get(key)
            if before is None or row["received_at_max"] >= before.newest:
                found[key] = _group(table, key, row["received_at_max"], count + (before.count if before else 0))
            else:
                found[key] = replace(before, count=count + before.count)
    return sorted(found.values(), key=lambda group: (-group.day.toordinal(), -group.count, group.reason))


def letters(lake: Lake, selection: Selection) -> Iterator[DeadLetter]:
    """Every selected dead letter with its payload, in no special order; of one that the table holds twice (the stream
    began anew, with another checkpoint) both."""
    for rows in _pieces(lake, selection, list(_COLUMNS), _LETTERS):
        yield from (DeadLetter(**row) for row in rows.to_pylist())


def newest(lake: Lake, selection: Selection, count: int) -> list[DeadLetter]:
    """The last `count` of the selected, the newest first; days before theirs are not opened."""
    found: list[DeadLetter] = []
    for day in _days(lake, selection):
        of_day = letters(lake, replace(selection, first_day=day, last_day=day))
        found += nlargest(count - len(found), of_day, key=lambda letter: letter.received_at)
        if len(found) >= count:
            break
    return found


def _days(lake: Lake, selection: Selection) -> list[date]:
    """The days of the table that the selection allows, the newest first."""
    days = {date.fromisoformat(partition["event_date"]) for partition in _open(lake).partitions()}
    first, last = selection.first_day or date.min, selection.last_day or date.max
    return sorted((day for day in days if first <= day <= last), reverse=True)


def _pieces(lake: Lake, selection: Selection, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    pieces = (
        _open(lake)
        .to_pyarrow_dataset()
        .to_batches(
            columns=columns, filter=selection.filter(), batch_size=rows, batch_readahead=1, fragment_readahead=1
        )
    )
    return (piece for piece in pieces if piece.num_rows)


def _open(lake: Lake) -> DeltaTable:
    try:
        return lake.open(DEAD_LETTERS)
    except TableNotFoundError:
        raise DeadLetterError(
            "the lake has no table of dead letters yet: `sensorlake stream` makes it at its start"
        ) from None
    except DeltaError as error:
        raise DeadLetterError(f"the dead letters cannot be read from the lake: {error}") from None


def _group(table: pa.Table, key: tuple[str, date], newest: datetime, count: int) -> Group:
    """A group as its newest letter shows it, which is in `table`."""
    reason, day = key
    chosen = (pc.field("dq_reason") == reason) & (pc.field("event_date") == day) & (pc.field("received_at") == newest)
    row = table.filter(chosen).slice(0, 1).to_pylist()[0]
    example = Place(row["source_partition"], row["source_offset"])
    device = "" if row["key"] is None else printable(row["key"], _DEVICE)
    return Group(reason, day, count, newest, example, device)
