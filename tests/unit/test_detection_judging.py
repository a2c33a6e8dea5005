"""Verdicts against labels: the figures that `sensorlake evaluate` prints, checked by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from detection import judging
from detection.judging import Verdict
from edge import runs
from edge.runs import Run
from sensorlake.command_line import app
from sensorlake.errors import InputFileError, SettingsError


def bits(text: str) -> np.ndarray:
    return np.array([character == "1" for character in text])


def verdict(alarm: str, label: str) -> Verdict:
    return Verdict(bits(alarm).astype(np.float64), bits(alarm), bits(label))


def test_rows_and_episodes_are_counted_over_all_runs_together() -> None:
    found = judging.figures([verdict("0110001100", "0011100000"), verdict("0000", "0110")])
    # One hit of five abnormal rows, three false rows of nine normal ones.
    assert found.f1 == pytest.approx(2 * 1 / (4 + 5))
    assert found.false_alarm_rate == pytest.approx(3 / 9)
    assert found.missed == pytest.approx(4 / 5)
    assert (found.episodes, found.found, found.false_episodes) == (2, 1, 1)
    assert found.delay == 0


def test_an_alarm_that_was_on_before_a_fault_counts_from_its_first_row() -> None:
    found = judging.figures([verdict("1111", "0011")])
    assert (found.found, found.delay, found.false_episodes) == (1, 0, 0)


def test_what_is_not_defined_is_no_number() -> None:
    nothing_abnormal = judging.figures([verdict("0010", "0000")])
    assert np.isnan(nothing_abnormal.missed)
    assert np.isnan(nothing_abnormal.average_precision)
    assert nothing_abnormal.false_alarm_rate == 0.25


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    values = np.random.default_rng(0).normal(20, 1, 400)
    values[300:306] += 30
    lines = [
        f"2026-01-01T00:{row // 60:02d}:{row % 60:02d}Z,{value:.3f},{int(300 <= row < 306)}"
        for row, value in enumerate(values)
    ]
    (tmp_path / "in" / "one.csv").write_text("\n".join(["timestamp,flow,anomaly", *lines]) + "\n")
    (tmp_path / "runs.json").write_text(json.dumps({"one.csv": {"set": "pump", "train_rows": 200}}))
    return tmp_path


def evaluate(folder: Path, *more: str):
    given = ["evaluate", str(folder / "in"), "--runs", str(folder / "runs.json"), *more]
    return CliRunner().invoke(app, given, catch_exceptions=True)


def test_every_detector_stands_beside_an_alarm_that_never_stops(labelled) -> None:
    found = evaluate(labelled, "--pictures", str(labelled / "pictures"), "--draw", "one.csv")
    assert found.exit_code == 0, found.exception
    rows = {line.split("│")[1].strip(): line for line in found.output.splitlines() if line.startswith("│")}
    assert {"all together", "spike", "level", "never stops", "plain z-score"} <= rows.keys()
    assert "1 of 1" in rows["all together"]
    assert "100.00" in rows["never stops"]
    for name in ("pump.svg", "one.svg"):
        assert (labelled / "pictures" / name).read_text("utf-8").startswith("<?xml")


def test_a_run_that_is_not_listed_cannot_be_drawn(labelled) -> None:
    found = evaluate(labelled, "--pictures", str(labelled), "--draw", "two.csv")
    assert isinstance(found.exception, SettingsError)
    assert "'two.csv'" in str(found.exception)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("timestamp,flow\n2026-01-01,1\n", r"one\.csv:1: the header has no column anomaly"),
        ("timestamp,flow,anomaly\n2026-01-01,1,maybe\n", r"one\.csv:2: column 'anomaly': 'maybe' is neither 0 nor 1"),
    ],
)
def test_labels_that_cannot_be_read_are_told_with_their_line(tmp_path, content, reason) -> None:
    (tmp_path / "one.csv").write_text(content)
    with pytest.raises(InputFileError, match=reason):
        runs.labels(Run("one.csv", tmp_path / "one.csv", "", 0))
