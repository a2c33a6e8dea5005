"""Recorded runs: each row is judged by the rows before it alone, and no label is looked at."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from detection import offline, standard
from detection.offline import Rows
from edge import runs
from sensorlake.command_line import app
from sensorlake.errors import InputFileError, SettingsError

SECOND = 1_000_000


def run(name: str, rows: int = 200, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    value = rng.normal(5, 1, (rows, 2))
    value[150:] += 25
    return Rows(name, ("flow", "current"), 1_700_000_000 * SECOND + np.arange(rows) * SECOND, value, training=100)


def cut(whole: Rows, rows: int) -> Rows:
    return Rows(whole.name, whole.metrics, whole.time[:rows], whole.value[:rows], whole.training)


def test_what_comes_later_and_what_other_runs_hold_changes_no_verdict() -> None:
    whole = run("a")
    (alone,) = offline.judge(standard.ensemble(), [whole])
    beside, _, shorter = offline.judge(standard.ensemble(), [whole, run("b", 90, seed=1), cut(whole, 160)])
    np.testing.assert_allclose(beside.score, alone.score)
    np.testing.assert_allclose(shorter.score, alone.score[:160])
    assert shorter.alarm.tolist() == alone.alarm[:160].tolist()
    assert not alone.alarm[:150].any()
    assert alone.alarm[150]
    assert alone.metric[150] in whole.metrics
    assert alone.detector[150] in standard.NAMES


def test_nothing_is_in_alarm_within_the_training_rows() -> None:
    given = run("a")
    (found,) = offline.judge(standard.ensemble(), [Rows(given.name, given.metrics, given.time, given.value, 180)])
    assert not found.alarm[:180].any()


def test_a_row_without_values_and_a_repeated_time_leave_the_alarm_as_it_is() -> None:
    given = run("a")
    given.value[154] = np.nan
    given.time[155] = given.time[153]
    (found,) = offline.judge(standard.ensemble(), [given])
    assert found.score[154] == found.score[155] == 0
    assert found.alarm[153]
    assert found.alarm[154:156].all()


FILE = "timestamp,flow,anomaly\n" + "".join(f"2026-01-01T00:{row:02d}:00Z,{row % 7}.5,0\n" for row in range(60))


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    (tmp_path / "in" / "pump").mkdir(parents=True)
    (tmp_path / "in" / "pump" / "one.csv").write_text(FILE)
    (tmp_path / "runs.json").write_text(json.dumps({"pump/one.csv": {"set": "pump", "train_rows": 20}}))
    return tmp_path


def detect(folder: Path, *more: str):
    arguments = ["detect", str(folder / "in"), "--runs", str(folder / "runs.json"), "--out", str(folder / "out"), *more]
    return CliRunner().invoke(app, arguments)


def test_the_command_writes_one_row_a_row_and_never_looks_at_the_label(inputs) -> None:
    assert detect(inputs).exit_code == 0
    first = (inputs / "out" / "pump" / "one.csv").read_text()
    lines = first.splitlines()
    assert lines[0] == "timestamp,score,alarm,detector,metric"
    assert len(lines) == 61
    assert lines[1].startswith("2026-01-01T00:00:00Z,0,0,")
    (inputs / "in" / "pump" / "one.csv").write_text(FILE.replace(",0\n", ",1\n"))
    assert detect(inputs).exit_code == 0
    assert (inputs / "out" / "pump" / "one.csv").read_text() == first


def test_a_detector_that_is_not_there_is_told(inputs) -> None:
    found = detect(inputs, "--detector", "crystal_ball")
    assert isinstance(found.exception, SettingsError)
    assert "there are: " in str(found.exception)


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        ("{", r"runs\.json:1: not valid JSON"),
        ("[]", "an object with one entry a run"),
        ('{"pump/one.csv": {}}', "'pump/one.csv' needs `train_rows`"),
        ('{"pump/one.csv": {"train_rows": -1}}', "'pump/one.csv' needs `train_rows`"),
        ('{"pump/two.csv": {"train_rows": 1}}', r"there is no file .*two\.csv"),
        ('{"../one.csv": {"train_rows": 1}}', "must lie below the folder"),
    ],
)
def test_a_list_of_runs_that_does_not_fit_is_told(inputs, listed, reason) -> None:
    (inputs / "runs.json").write_text(listed)
    with pytest.raises(InputFileError, match=reason):
        runs.listed(inputs / "runs.json", inputs / "in")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("timestamp,metric,value\n2026-01-01,flow,1\n", r"one\.csv:1: a wide file is needed"),
        ("timestamp,flow\n", "holds no row"),
        ("timestamp,flow\n2026-01-01,\n", "holds no value"),
        ("timestamp,flow\n2026-01-01,high\n", r"one\.csv:2: column 'flow': 'high' is not a number"),
    ],
)
def test_a_file_that_does_not_fit_is_told_with_its_line(inputs, content, reason) -> None:
    (inputs / "in" / "pump" / "one.csv").write_text(content)
    (inputs / "runs.json").write_text('{"pump/one.csv": {"train_rows": 1}}')
    (only,) = runs.listed(inputs / "runs.json", inputs / "in")
    with pytest.raises(InputFileError, match=reason):
        runs.read(only)
    assert detect(inputs).exit_code != 0
    assert not (inputs / "out").exists()
