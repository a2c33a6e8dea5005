"""Credentials: generated once a data folder, for their owner alone, never the same twice."""

import stat
from pathlib import Path

import pytest

from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX, Settings
from stack import credentials, env_file


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return settings_module.load(tmp_path / "data")


def test_both_files_are_for_their_owner_alone(fresh: Settings) -> None:
    credentials.ensure(fresh)
    for path in (fresh.credentials_file, credentials.servers_file(fresh)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_mode_that_was_opened_is_closed_again(fresh: Settings) -> None:
    credentials.ensure(fresh)
    fresh.credentials_file.chmod(0o644)
    credentials.ensure(settings_module.load(fresh.data_dir))
    assert stat.S_IMODE(fresh.credentials_file.stat().st_mode) == 0o600


def test_every_secret_is_its_own_and_differs_between_data_folders(fresh: Settings, tmp_path: Path) -> None:
    first = credentials.ensure(fresh)
    other = credentials.ensure(settings_module.load(tmp_path / "other"))
    values = first.values() + other.values()
    assert len(set(values)) == len(values)
    assert all(len(value) >= 20 for value in values)


def test_a_second_start_keeps_them_and_settings_read_them(fresh: Settings) -> None:
    first = credentials.ensure(fresh)
    loaded = settings_module.load(fresh.data_dir)
    assert credentials.ensure(loaded).values() == first.values()
    assert loaded.s3_access_key == first.s3_access_key
    assert loaded.influxdb_token.get_secret_value() == first.influxdb_token


def test_a_password_of_the_environment_wins_and_is_not_written(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PREFIX + "POSTGRES_PASSWORD", "given-by-the-user")
    made = credentials.ensure(settings_module.load(fresh.data_dir))
    assert made.postgres_password == "given-by-the-user"
    assert PREFIX + "POSTGRES_PASSWORD" not in env_file.read(fresh.credentials_file)


def test_credentials_do_not_show_themselves(fresh: Settings) -> None:
    made = credentials.ensure(fresh)
    assert not [value for value in made.values() if value in repr(made) + str(made)]
