"""What is known of a day's messages comes from the stream's own commits and from the rows of the lake."""

import json
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from lakehouse import commits
from lakehouse.appender import Appender
from lakehouse.columns import arrow_schema
from lakehouse.creation import ensure
from lakehouse.lake import Lake
from lakehouse.tables import DEAD_LETTERS, FEATURES, READINGS
from orchestration import evidence
from tests.orchestration.quality_cases import DAY, dead_letter, feature
from tests.orchestration.rows import micros, reading, write


def committed(lake: Lake, rows: list[dict], batch: int, **counts: int) -> None:
    """As the stream's lake query appends a batch."""
    ensure(lake, READINGS)
    note = {"messages": len(rows), "dead_letters": 0, "duplicates": 0, "valid": len(rows), "batch": batch}
    note |= {"newest_received": max((micros(row["received_at"]) for row in rows), default=0)} | counts
    made = pa.Table.from_pylist(rows, schema=arrow_schema("reading"))
    Appender(lake, READINGS, "test").append(made, batch, json.dumps(note))


def today() -> date:
    return datetime.now(UTC).date()


def test_commits_of_the_day_are_counted_with_the_rows_that_delta_saw(lake: Lake) -> None:
    committed(lake, [reading(1), reading(2)], 0, messages=4, dead_letters=1, duplicates=1)
    committed(lake, [reading(3)], 1)
    lake.open(READINGS).optimize.compact()
    found = commits.batches(lake, READINGS, today())
    assert found is not None
    assert [(batch.messages, batch.valid, batch.dead_letters, batch.duplicates, batch.added) for batch in found] == [
        (4, 2, 1, 1, 2),
        (1, 1, 0, 0, 1),
    ]


def test_a_day_without_commits_has_no_batches(lake: Lake) -> None:
    committed(lake, [reading(1)], 0)
    assert commits.batches(lake, READINGS, today() + timedelta(days=1)) == []


def test_a_log_that_was_cleaned_up_says_nothing(lake: Lake, tmp_path) -> None:
    for batch in range(6):
        committed(lake, [reading(batch)], batch)
    lake.open(READINGS).create_checkpoint()
    log = tmp_path / "lake" / "readings" / "_delta_log"
    for version in range(4):
        (log / f"{version:020}.json").unlink()
    assert commits.batches(lake, READINGS, today()) is None


@pytest.mark.parametrize(("duplicates", "lost"), [(0, 2), (2, 0)])
def test_offsets_without_a_row_are_seen(lake: Lake, duplicates: int, lost: int) -> None:
    # Offsets 0 to 6 of partition 0: 2 is a dead letter, 3 and 4 left no row; 5 holds two readings. Partition 1 has one.
    rows = [reading(number, source_offset=number) for number in (0, 1, 5, 6)]
    rows.append(reading(5, metric="humidity", unit="%", source_offset=5))
    rows.append(reading(7, source_partition=1, source_offset=900))
    committed(lake, rows, 0, duplicates=duplicates)
    write(lake, DEAD_LETTERS, [dead_letter(2)])
    found = commits.batches(lake, READINGS, today())
    assert found is not None
    offsets = evidence._offsets(lake, found, DAY)
    assert (offsets.consumed, offsets.stored) == (8, 6)
    assert max(0, offsets.consumed - offsets.stored - offsets.duplicates) == lost


def test_what_arrived_on_the_day_counts_whatever_day_it_is_of(lake: Lake) -> None:
    late = reading(-2 * 86_400, source_offset=1)
    late["received_at"] = reading()["received_at"]
    committed(lake, [reading(0, source_offset=0), late, reading(-86_400, source_offset=50)], 0)
    offsets = evidence._offsets(lake, commits.batches(lake, READINGS, today()) or [], DAY)
    assert (offsets.consumed, offsets.stored) == (2, 2)


def test_windows_that_slide_are_left_out(lake: Lake) -> None:
    write(lake, FEATURES, [feature(0), feature(1, window_kind="sliding_60s"), feature(2, window_kind=None)])
    data = evidence.gather(lake, FEATURES, now=datetime.now(UTC), day=DAY)
    read = [row for piece in data.read(("window_kind",)) for row in piece["window_kind"].to_pylist()]
    assert sorted(read, key=str) == [None, "tumbling_1m"]


def test_small_files_are_gathered_into_pieces(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "PIECE_ROWS", 4)
    for number in range(10):
        write(lake, READINGS, [reading(number)])
    data = evidence.gather(lake, READINGS, now=datetime.now(UTC), day=DAY)
    assert [piece.num_rows for piece in data.read(("value",))] == [4, 4, 2]
    assert data.rows == 10
