"""A checkpoint goes on with what it was made for, or not at all: its offsets mean nothing anywhere else."""

import json

import pytest

from sensorlake.errors import CheckpointError
from streaming import checkpoints

MADE_FOR = {"kafka": "cluster-1", "source": "iot.sensor.raw", "target": "lake"}


def test_a_new_checkpoint_is_found_again(tmp_path):
    first = checkpoints.folder(tmp_path, "lake", MADE_FOR)
    (first / "offsets").mkdir()
    assert checkpoints.folder(tmp_path, "lake", dict(reversed(MADE_FOR.items()))) == first
    assert (first / "offsets").is_dir()


def test_each_query_has_its_own(tmp_path):
    lake = checkpoints.folder(tmp_path, "lake", MADE_FOR)
    assert checkpoints.folder(tmp_path, "metrics", MADE_FOR | {"source": "lake"}) != lake


@pytest.mark.parametrize("name", MADE_FOR)
def test_one_made_for_something_else_is_refused_with_both_names(tmp_path, name):
    path = checkpoints.folder(tmp_path, "lake", MADE_FOR)
    with pytest.raises(CheckpointError) as refused:
        checkpoints.folder(tmp_path, "lake", MADE_FOR | {name: "another-one"})
    message = str(refused.value)
    assert f"{name}: made for {MADE_FOR[name]}, now another-one" in message
    assert str(path) in message
    assert "query lake" in message
    # Refusing changes nothing: with the old settings it goes on.
    assert checkpoints.folder(tmp_path, "lake", MADE_FOR) == path


def test_one_made_before_a_fact_was_noted_is_refused(tmp_path):
    checkpoints.folder(tmp_path, "lake", {"kafka": "cluster-1"})
    with pytest.raises(CheckpointError, match="source: made for nothing, now iot"):
        checkpoints.folder(tmp_path, "lake", MADE_FOR)


def test_a_foreign_folder_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "lake" / "offsets").mkdir(parents=True)
    with pytest.raises(CheckpointError, match="does not say what it was made for"):
        checkpoints.folder(tmp_path, "lake", MADE_FOR)
    assert [path.name for path in (tmp_path / "lake").iterdir()] == ["offsets"]


def test_an_empty_folder_is_a_new_checkpoint(tmp_path):
    (tmp_path / "lake").mkdir()
    assert checkpoints.folder(tmp_path, "lake", MADE_FOR) == tmp_path / "lake"


@pytest.mark.parametrize("damaged", ["", "{", '["a"]', "\x00"])
def test_a_damaged_note_is_an_error_that_says_so(tmp_path, damaged):
    path = checkpoints.folder(tmp_path, "lake", MADE_FOR)
    (path / "made-for.json").write_text(damaged, "utf-8")
    with pytest.raises(CheckpointError, match=r"made-for\.json"):
        checkpoints.folder(tmp_path, "lake", MADE_FOR)


def test_the_id_of_a_checkpoint_is_what_spark_wrote(tmp_path):
    (tmp_path / "metadata").write_text(json.dumps({"id": "0a1b"}) + "\n", "utf-8")
    assert checkpoints.application_id(tmp_path) == "0a1b"


@pytest.mark.parametrize("content", [None, "", "not json", "{}", "[]"])
def test_a_checkpoint_without_a_readable_id_is_damaged(tmp_path, content):
    if content is not None:
        (tmp_path / "metadata").write_text(content, "utf-8")
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoints.application_id(tmp_path)
