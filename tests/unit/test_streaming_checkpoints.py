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


def test_one_of_a_later_version_is_refused_and_names_the_ways_out(tmp_path):
    checkpoints.folder(tmp_path, "lake", MADE_FOR | {"encoding": "2"})
    with pytest.raises(CheckpointError, match=r"by a later version.*notes encoding.*checkpoints restart lake"):
        checkpoints.folder(tmp_path, "lake", MADE_FOR)
    assert checkpoints.made_for(tmp_path, "lake")["encoding"] == "2"


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


# What is damaged.

SETTINGS = '{"batchWatermarkMs":0}'


@pytest.fixture
def begun(tmp_path):
    """A checkpoint after its batches 0 to 2, of which the last is not noted as done."""
    path = checkpoints.folder(tmp_path, "lake", MADE_FOR)
    (path / "metadata").write_text('{"id":"0a1b"}', "utf-8")
    for folder, numbers in (("offsets", (0, 1, 2)), ("commits", (0, 1))):
        (path / folder).mkdir()
        for number in numbers:
            lines = ["v1", SETTINGS, json.dumps({"raw": {"0": 10 * number}})][: 3 if folder == "offsets" else 2]
            (path / folder / str(number)).write_text("\n".join(lines), "utf-8")
    return path


def test_a_whole_checkpoint_has_no_damage(begun):
    assert checkpoints.damage(begun) is None
    (begun / "commits" / "2").write_text(f"v1\n{SETTINGS}", "utf-8")
    assert checkpoints.damage(begun) is None
    assert checkpoints.last_batch(begun) == 2
    assert json.loads(checkpoints.last_offsets(begun, finished=True)) == {"raw": {"0": 20}}


@pytest.mark.parametrize("gone", [["commits/1"], ["commits/0", "commits/1"], ["offsets/0"]])
def test_notes_that_spark_does_without_are_no_damage(begun, gone):
    for name in gone:
        (begun / name).unlink()
    assert checkpoints.damage(begun) is None


@pytest.mark.parametrize(
    ("damaged", "content", "said"),
    [
        ("offsets/2", "", "offsets/2 is cut off or gone"),
        ("offsets/2", f"v1\n{SETTINGS}", "offsets/2 is cut off or gone"),
        ("offsets/2", f'v1\n{SETTINGS}\n{{"raw":{{"0"', "offsets/2 is cut off or gone"),
        ("offsets/1", None, "offsets/1 is cut off or gone"),
        ("commits/1", "v1", "commits/1 is cut off"),
        ("commits/1", "\x00\x00\x00", "commits/1 is cut off"),
        ("metadata", None, "the file metadata is cut off or gone"),
        ("metadata", '{"id":', "the file metadata is cut off or gone"),
    ],
)
def test_notes_that_are_cut_off_or_gone_are_refused_with_the_command(begun, damaged, content, said):
    if content is None:
        (begun / damaged).unlink()
    else:
        (begun / damaged).write_text(content, "utf-8")
    assert checkpoints.damage(begun) == said
    with pytest.raises(CheckpointError, match=rf"{said}.*`sensorlake checkpoints restart lake`"):
        checkpoints.folder(begun.parent, "lake", MADE_FOR)


def test_all_offsets_gone_is_not_taken_for_a_new_checkpoint(begun):
    for file in (begun / "offsets").iterdir():
        file.unlink()
    assert checkpoints.damage(begun) == "offsets/1 is gone"


def test_a_checkpoint_from_before_the_topics_id_was_noted_takes_it_on(tmp_path):
    checkpoints.folder(tmp_path, "lake", MADE_FOR)
    checkpoints.folder(tmp_path, "lake", MADE_FOR | {"topic_id": "one"})
    assert checkpoints.made_for(tmp_path, "lake")["topic_id"] == "one"
    with pytest.raises(CheckpointError, match="topic_id: made for one, now two"):
        checkpoints.folder(tmp_path, "lake", MADE_FOR | {"topic_id": "two"})


def test_a_folder_that_only_says_where_to_begin_is_new(tmp_path):
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / checkpoints.STARTING).write_text('{"raw": {"0": 5}}', "utf-8")
    path = checkpoints.folder(tmp_path, "lake", MADE_FOR)
    assert checkpoints.has_begun(path)
    assert checkpoints.starting_offsets(path) == {"startingOffsets": '{"raw": {"0": 5}}'}
