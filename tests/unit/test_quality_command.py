"""`sensorlake quality` refuses what it cannot check before it takes time."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse import storage
from sensorlake import settings as settings_module
from sensorlake.commands import quality
from sensorlake.errors import InputFileError, SettingsError, StackError
from tests.free_port import free_port


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "21.11.2026"])
def test_what_is_no_day_is_refused_with_an_example(day: str) -> None:
    with pytest.raises(SettingsError, match=r"is no day: write it as \d{4}-\d\d-\d\d"):
        quality.quality(day=day, html=None)


def test_a_day_to_come_is_refused() -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)
    with pytest.raises(SettingsError, match="is yet to come"):
        quality.quality(day=tomorrow.isoformat(), html=None)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputFileError, match="Name a folder that you may write to"):
        quality.quality(day=None, html=tmp_path / "taken")


def test_storage_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("SENSORLAKE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SENSORLAKE_S3_ENDPOINT", endpoint)
    with pytest.raises(StackError, match=f"does not answer at {endpoint} .*`sensorlake up`"):
        quality.quality(day=None, html=None)


def test_storage_that_answers_is_let_pass(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        storage.require_answer(settings_module.load(tmp_path).model_copy(update={"s3_endpoint": endpoint}))
