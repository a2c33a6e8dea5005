"""A checkpoint that has gone back counts batches anew: they are not taken for those that the table holds."""

import pyarrow as pa
import pytest

from lakehouse import creation
from lakehouse.appender import Appender
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.tables import DEAD_LETTERS
from sensorlake.errors import CheckpointError


def letters(*offsets):
    rows = [{"source_offset": offset, "dq_reason": "malformed"} for offset in offsets]
    return pa.Table.from_pylist(rows, schema=arrow_schema("dead_letter"))


def test_the_last_batch_may_come_again_and_an_earlier_one_is_refused(tmp_path):
    lake = Lake(str(tmp_path))
    creation.ensure(lake, DEAD_LETTERS)
    appender = Appender(lake, DEAD_LETTERS, "checkpoint")
    appender.append(letters(1), 0)
    appender.append(letters(2), 1)
    appender.append(letters(2), 1)
    with pytest.raises(CheckpointError, match="holds batch 1 of this checkpoint, which is at batch 0 again"):
        appender.append(letters(3), 0)
    Appender(lake, DEAD_LETTERS, "another checkpoint").append(letters(4), 0)
    assert sorted(lake.open(DEAD_LETTERS).to_pyarrow_table()["source_offset"].to_pylist()) == [1, 2, 4]


def test_what_a_commit_says_beside_its_note_is_found_again(tmp_path):
    lake = Lake(str(tmp_path))
    creation.ensure(lake, DEAD_LETTERS)
    appender = Appender(lake, DEAD_LETTERS, "checkpoint")
    appender.append(letters(1), 0, "a note", {"position": "here"})
    assert list(appender.notes()) == ["a note"]
    assert appender.commits()[0]["position"] == "here"
