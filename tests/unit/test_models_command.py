"""The command that writes labelled training data."""

import json
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from detection.models import sequences
from sensorlake import command_line
from sensorlake.errors import ModelError


def made(folder: Path, *options: str):
    given = ["generate-training-data", str(folder), "--sensors", "12", "--minutes", "12", *options]
    run = CliRunner().invoke(command_line.app, given)
    if run.exception and not isinstance(run.exception, SystemExit):
        raise run.exception
    counts = json.loads(run.output.splitlines()[-1])
    return counts, pq.read_table(folder / "readings.parquet"), pq.read_table(folder / "windows.parquet")


def test_readings_and_windows_carry_the_label_and_kind_of_each_fault(tmp_path: Path) -> None:
    counts, readings, windows = made(tmp_path)
    assert (counts["readings"], counts["windows"]) == (readings.num_rows, windows.num_rows) == (12 * 720, 12 * 72)
    assert set(readings["kind"].to_pylist()) == {"normal", "spike", "drift", "stuck", "noise"}
    assert readings["abnormal"].to_pylist() == [kind != "normal" for kind in readings["kind"].to_pylist()]
    assert pc.sum(windows["abnormal"]).as_py() >= pc.sum(readings["abnormal"]).as_py() / 10
    assert set(sequences.FEATURES) < set(windows.column_names)
    faulty = readings.filter(readings["abnormal"])
    middle = pc.min(readings["event_time"]).as_py().timestamp() + 360
    assert pc.min(faulty["event_time"]).as_py().timestamp() >= middle, "the first half is quiet"


def test_the_same_seed_gives_the_same_files_and_another_one_others(tmp_path: Path) -> None:
    _, one, windows = made(tmp_path / "one")
    _, other, same_windows = made(tmp_path / "other")
    assert one.equals(other)
    assert windows.equals(same_windows)
    assert not made(tmp_path / "third", "--seed", "1")[1].equals(one)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="file: the training data cannot be written"):
        made(tmp_path / "file")
