"""`sensorlake stream --detach` without what it needs, and `down` beside a stream that it does not supervise."""

from pathlib import Path

import pytest

from sensorlake import settings as settings_module
from sensorlake.command_line import main
from sensorlake.settings import PREFIX
from streaming import checkpoint_lock


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv(PREFIX + "DATA_DIR", str(tmp_path))
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[object, str]:
    """Exit status and all that a command printed."""
    monkeypatch.setattr("sys.argv", ["sensorlake", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return ended.value.code, out + err


@pytest.mark.usefixtures("folder")
def test_without_a_supervisor_it_says_what_starts_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = said(capsys, monkeypatch, "stream", "--detach")
    assert code == 1
    assert "the local servers are not up (`sensorlake up`)" in text


@pytest.mark.usefixtures("folder")
def test_its_queries_are_those_of_the_settings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = said(capsys, monkeypatch, "stream", "--detach", "--queries", "alerts")
    assert code == 2
    assert "SENSORLAKE_QUERIES" in text


def test_down_names_a_stream_that_runs_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    with checkpoint_lock.held(settings_module.load(folder).checkpoint_dir):
        _, text = said(capsys, monkeypatch, "down")
    assert "a `sensorlake stream` still runs" in text
    _, text = said(capsys, monkeypatch, "down")
    assert "still runs" not in text
