"""The lake on its real storage: what commits promise holds there too, and not only on a local disk."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from uuid import uuid4

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from lakehouse.appender import Appender
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.tables import DEAD_LETTERS

pytestmark = pytest.mark.integration

COMMITS = 25


@pytest.fixture
def table(stack_settings):
    """A table of this test's own, and the lake that it lies in."""
    lake, made = Lake.of(stack_settings), replace(DEAD_LETTERS, name=f"test-{uuid4().hex}")
    uri = made.path(lake.root).replace("s3a://", "s3://")
    DeltaTable.create(uri, arrow_schema(made.record), partition_by="event_date", storage_options=dict(lake.options))
    return lake, made


def row(offset):
    letter = {"source_offset": offset, "dq_reason": "malformed", "event_date": date(2026, 11, 3)}
    return pa.Table.from_pylist([letter], schema=arrow_schema("dead_letter"))


def test_a_second_writer_started_by_mistake_makes_no_commit_vanish(table):
    lake, made = table

    def write(name):
        appender = Appender(lake, made, name)
        for batch in range(COMMITS):
            appender.append(row(batch), batch)

    with ThreadPoolExecutor(2) as both:
        list(both.map(write, ["first", "second"]))
    found = lake.open(made)
    assert sorted(found.to_pyarrow_table()["source_offset"].to_pylist()) == sorted([*range(COMMITS)] * 2)
    assert found.version() == 2 * COMMITS


def test_a_batch_that_another_run_of_the_same_checkpoint_has_committed_is_refused_or_left_out(table):
    lake, made = table
    stale, other = Appender(lake, made, "checkpoint"), Appender(lake, made, "checkpoint")
    other.append(row(1), 0)
    with pytest.raises(CommitFailedError):
        stale.append(row(1), 0)
    Appender(lake, made, "checkpoint").append(row(1), 0)
    assert lake.open(made).to_pyarrow_table()["source_offset"].to_pylist() == [1]
