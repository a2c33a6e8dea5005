"""Where a query begins whose checkpoint is lost, and what is lost with it."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from streaming import position
from streaming.position import Position
from streaming.restarting import Begin, of_lake, of_others

BOUNDS = {0: (100, 900), 1: (50, 60)}


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (None, Begin("raw", None, {}, remade=False)),  # empty tables
        (Position("id", {0: 700, 1: 60}), Begin("raw", {0: 700, 1: 60}, {}, remade=False)),
        (Position("id", {0: 700}), Begin("raw", {0: 700, 1: 50}, {}, remade=False)),  # nothing came by partition 1
        (Position("id", {0: 40, 1: 55}), Begin("raw", {0: 100, 1: 55}, {0: (40, 100)}, remade=False)),
        (Position("before", {0: 700, 1: 55}), Begin("raw", {0: 100, 1: 50}, {}, remade=True)),
        # Told by the rows of tables that version 0.1.0 wrote: of which topic, nobody noted.
        (Position("", {0: 700, 1: 60}), Begin("raw", {0: 700, 1: 60}, {}, remade=False)),
        (Position("", {0: 700, 1: 61}), Begin("raw", {0: 100, 1: 50}, {}, remade=True)),
    ],
)
def test_the_lake_goes_on_after_what_its_tables_hold(stored, expected):
    assert of_lake("raw", BOUNDS, "id", stored) == expected


def test_what_retention_took_is_counted():
    begin = of_others("raw", BOUNDS, "id", "id", {0: 40, 1: 20})
    assert begin.lost == {0: (40, 100), 1: (20, 50)}
    assert begin.lost_messages == 90
    assert begin.offsets is None


def test_of_a_topic_that_was_made_anew_nobody_can_count():
    assert of_others("raw", BOUNDS, "id", "before", {0: 40}) == Begin("raw", None, {}, remade=True)


def test_a_position_goes_on_from_batch_to_batch_and_is_found_in_the_newest_commit():
    def rows(*places):
        return pa.table({"source_partition": [p for p, _ in places], "source_offset": [o for _, o in places]})

    first = Position("id", {}).after(rows((0, 5), (0, 7), (1, 2)))
    second = first.after(rows((0, 9)))
    assert second == Position("id", {0: 10, 1: 3})
    assert second.after(rows((0, 9))) == second
    commits = [{"operation": "OPTIMIZE"}, second.as_metadata(), first.as_metadata()]
    assert position.last(commits) == second
    assert position.last([{"userMetadata": "{}"}]) is None


NEWEST = datetime(2026, 11, 3, 12, tzinfo=UTC)


def written(*rows: tuple[int, int, timedelta]) -> ds.Dataset:
    """Rows of a table: partition, offset, and how long before the newest it arrived."""
    return ds.dataset(
        pa.table(
            {
                "source_partition": pa.array([partition for partition, _, _ in rows], pa.int32()),
                "source_offset": pa.array([offset for _, offset, _ in rows], pa.int64()),
                "received_at": pa.array([NEWEST - age for _, _, age in rows], pa.timestamp("us", "UTC")),
            }
        )
    )


def test_tables_that_do_not_note_how_far_they_have_got_are_asked_for_their_rows():
    now, days = timedelta(0), timedelta(days=3)
    readings = written((0, 3, days), (0, 8, now), (1, 2, days), (1, 1, days))
    letters = written((0, 9, now), (2, 0, timedelta(hours=2)))
    tables = [readings, letters]
    assert position.of_rows(tables, NEWEST, [0, 1, 2]) == Position("", {0: 10, 1: 3, 2: 1})
    # The oldest rows are read only where the newest do not tell.
    assert position.of_rows(tables, NEWEST, [0]) == Position("", {0: 10})
    assert position.of_rows(tables, NEWEST, [0, 2]) == Position("", {0: 10, 2: 1})
    assert position.of_rows(tables, NEWEST, [0, 7]).offsets.keys() == {0, 1, 2}
    assert position.of_rows([], NEWEST, [0]) == Position("", {})
