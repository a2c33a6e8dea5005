"""What the stream's own writer keeps in order beside its appends: few files, no day past its time, no row changed."""

from collections import Counter
from datetime import date, timedelta

import pyarrow as pa
import pytest

from lakehouse import creation, retention
from lakehouse.appender import Appender
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.tables import DEAD_LETTERS, TABLES, THRESHOLDS
from sensorlake.settings import Settings

DAY = date(2026, 11, 3)


class Calendar:
    """The day that it is, moved by the test."""

    def __init__(self, day=DAY):
        self.day = day

    def __call__(self):
        return self.day

    def next_day(self):
        self.day += timedelta(days=1)


@pytest.fixture
def lake(tmp_path):
    made = Lake(str(tmp_path))
    creation.ensure(made, DEAD_LETTERS)
    return made


def letters(*offsets, day=DAY):
    rows = [{"source_offset": offset, "dq_reason": "malformed", "event_date": day} for offset in offsets]
    return pa.Table.from_pylist(rows, schema=arrow_schema("dead_letter"))


def offsets(lake):
    return sorted(lake.open(DEAD_LETTERS).to_pyarrow_table()["source_offset"].to_pylist())


def files_by_day(lake):
    actions = pa.table(lake.open(DEAD_LETTERS).get_add_actions(flatten=True))
    return Counter(actions["partition.event_date"].to_pylist())


def operations(lake):
    return Counter(commit["operation"] for commit in lake.open(DEAD_LETTERS).history())


def test_small_files_stay_bounded_and_every_row_is_there(lake):
    appender = Appender(lake, DEAD_LETTERS, "checkpoint")
    seen = []
    for batch in range(700):
        appender.append(letters(batch), batch)
        appender.tidy()
        if batch % 60 == 59:
            seen.append(files_by_day(lake)[DAY])
    assert max(seen) <= 50
    assert files_by_day(lake)[DAY] <= 60
    assert offsets(lake) == [*range(700)]


def test_a_day_that_is_over_is_left_in_one_file(lake):
    today = Calendar()
    appender = Appender(lake, DEAD_LETTERS, "checkpoint", today=today)
    for batch in range(5):
        appender.append(letters(batch), batch)
        appender.tidy()
    assert files_by_day(lake) == {DAY: 5}
    today.next_day()
    appender.append(letters(5, day=today.day), 5)
    appender.tidy()
    assert files_by_day(lake) == {DAY: 1, today.day: 1}
    assert offsets(lake) == [*range(6)]


def test_small_files_of_earlier_runs_are_merged_by_the_next(lake):
    for batch in range(62):
        Appender(lake, DEAD_LETTERS, "checkpoint").append(letters(batch), batch)
    assert files_by_day(lake) == {DAY: 62}
    Appender(lake, DEAD_LETTERS, "checkpoint").tidy()
    assert files_by_day(lake) == {DAY: 1}


def test_no_batch_waits_for_the_merging_of_more_than_one_day(lake):
    for batch in range(66):
        Appender(lake, DEAD_LETTERS, "checkpoint").append(letters(batch, day=DAY - timedelta(days=batch % 3)), batch)
    appender = Appender(lake, DEAD_LETTERS, "checkpoint")
    left = []
    for _ in range(4):
        appender.tidy()
        left.append(sorted(files_by_day(lake).values()))
    assert left == [[1, 22, 22], [1, 1, 22], [1, 1, 1], [1, 1, 1]]
    assert offsets(lake) == [*range(66)]


def test_days_past_retention_go_when_the_day_changes_and_no_other(lake):
    today = Calendar()
    appender = Appender(lake, DEAD_LETTERS, "checkpoint", keep_days=2, today=today)
    for back in range(5):
        appender.append(letters(back, day=DAY - timedelta(days=back)), back)
    appender.tidy()
    assert offsets(lake) == [0, 1, 2, 3, 4]
    today.next_day()
    appender.tidy()
    assert offsets(lake) == [0, 1]
    written = lake.open(DEAD_LETTERS).version()
    appender.tidy()
    assert lake.open(DEAD_LETTERS).version() == written


def test_a_drop_of_days_rewrites_no_file(lake):
    appender = Appender(lake, DEAD_LETTERS, "checkpoint")
    for back in range(3):
        appender.append(letters(back, day=DAY - timedelta(days=back)), back)
    opened = lake.open(DEAD_LETTERS)
    kept = {uri for uri in opened.file_uris() if f"event_date={DAY}" in uri}
    assert retention.drop_before(opened, DEAD_LETTERS, DAY) == 2
    assert set(lake.open(DEAD_LETTERS).file_uris()) == kept
    assert operations(lake)["DELETE"] == 1
    assert retention.drop_before(opened, DEAD_LETTERS, DAY) == 0
    assert operations(lake)["DELETE"] == 1


def test_without_a_limit_nothing_is_dropped(lake):
    today = Calendar()
    appender = Appender(lake, DEAD_LETTERS, "checkpoint", today=today)
    appender.append(letters(1, day=date(1999, 1, 1)), 0)
    today.next_day()
    appender.tidy()
    assert offsets(lake) == [1]


def test_every_table_with_days_has_a_retention_and_the_thresholds_have_none():
    kept = retention.kept_days(Settings(raw_retention_days=3, feature_retention_days=5, anomaly_retention_days=7))
    assert kept.keys() == {table.name for table in TABLES if retention.day_column(table)}
    assert THRESHOLDS.name not in kept
    assert (kept["readings"], kept["trends"], kept["anomalies"]) == (3, 5, 7)
