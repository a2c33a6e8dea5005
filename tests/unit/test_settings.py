"""Settings: where they come from, what is refused, what the example file says about them."""

import os
import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from sensorlake import settings
from sensorlake.errors import SettingsError
from sensorlake.settings import PREFIX, Settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"
SECRETS = [name for name, field in Settings.model_fields.items() if field.annotation is SecretStr]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and none of our variables in the environment."""
    for variable in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _example() -> list[tuple[str, str]]:
    return re.findall(r"^#?(SENSORLAKE_[A-Z0-9_]+)=(.*)$", EXAMPLE.read_text("utf-8"), re.MULTILINE)


def test_the_example_names_every_setting_once_and_in_their_order():
    assert [variable for variable, _ in _example()] == [PREFIX + name.upper() for name in Settings.model_fields]


def test_the_example_shows_the_defaults(folder):
    defaults = settings.load()
    (folder / ".env").write_text("".join(f"{variable}={value}\n" for variable, value in _example()), encoding="utf-8")
    assert settings.load() == defaults


def test_the_example_changes_nothing_until_a_line_is_uncommented():
    """Copied as it is, it must not shadow the addresses that `sensorlake up` found free."""
    assert not re.search(r"^[^#\n]", EXAMPLE.read_text("utf-8"), re.MULTILINE)


def test_the_example_explains_every_setting():
    """Related settings may share one explanation: each block of lines has one."""
    blocks = EXAMPLE.read_text("utf-8").split("\n\n")
    assert all(block.startswith("# ") for block in blocks if PREFIX in block)


def test_an_empty_variable_is_as_good_as_none(monkeypatch):
    """An empty folder's name would make the working directory the data folder."""
    monkeypatch.setenv(PREFIX + "DATA_DIR", "")
    assert settings.load().data_dir == Path(".sensorlake")


def test_the_environment_wins_over_dotenv_and_that_over_the_data_folder(folder, monkeypatch):
    port = PREFIX + "POSTGRES_PORT"
    (folder / ".sensorlake").mkdir()
    assert settings.load().postgres_port == 5432
    (folder / ".sensorlake" / "addresses.env").write_text(f"{port}=1001\n", encoding="utf-8")
    assert settings.load().postgres_port == 1001
    (folder / ".sensorlake" / "credentials.env").write_text(f"{port}=1002\n", encoding="utf-8")
    assert settings.load().postgres_port == 1002
    (folder / ".env").write_text(f"{port}=1003\n", encoding="utf-8")
    assert settings.load().postgres_port == 1003
    monkeypatch.setenv(port, "1004")
    assert settings.load().postgres_port == 1004


def test_the_data_folder_may_be_another_one(folder, monkeypatch):
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "credentials.env").write_text(f"{PREFIX}INFLUXDB_TOKEN=found\n", encoding="utf-8")
    assert settings.load(folder / "elsewhere").influxdb_token.get_secret_value() == "found"
    monkeypatch.setenv(PREFIX + "DATA_DIR", "elsewhere")
    chosen = settings.load()
    assert chosen.influxdb_token.get_secret_value() == "found"
    assert chosen.checkpoint_dir == folder / "elsewhere" / "checkpoints"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA_PARTITIONS", "0"),
        ("KAFKA_PARTITIONS", "two"),
        ("TOPIC_PREFIX", "no spaces"),
        ("S3_ENDPOINT", "127.0.0.1:9000"),
        ("LAKE_BUCKET", "Lake"),
        ("POSTGRES_PORT", "65536"),
        ("POSTGRES_DATABASE", 'x"; drop table y'),
        ("SPARK_CORES", "1"),
        ("SPARK_DRIVER_MEMORY", "2 GB"),
        ("ALERTS_BATCH_SECONDS", "601"),
        ("LAKE_TRIGGER_SECONDS", "nan"),
        ("LATENESS_SECONDS", "-1"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_bad_value_is_refused_with_the_name_of_its_variable(name, value, monkeypatch):
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError, match=rf"{PREFIX}{name}: .+") as caught:
        settings.load()
    assert str(caught.value).count(PREFIX) == 1


def test_every_bad_value_is_named_at_once(monkeypatch):
    monkeypatch.setenv(PREFIX + "SPARK_CORES", "1")
    monkeypatch.setenv(PREFIX + "POSTGRES_PORT", "0")
    with pytest.raises(SettingsError, match=r"(?s)POSTGRES_PORT.*SPARK_CORES"):
        settings.load()


def test_a_misspelt_variable_in_dotenv_is_refused_without_its_value(folder):
    (folder / ".env").write_text(f"{PREFIX}S3_SECRET_KEE=do-not-tell\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=f"{PREFIX}S3_SECRET_KEE: no such setting") as caught:
        settings.load()
    assert "do-not-tell" not in str(caught.value)


def test_secrets_are_shown_neither_by_an_error_nor_by_the_settings_themselves(monkeypatch):
    assert SECRETS
    for name in SECRETS:
        monkeypatch.setenv(PREFIX + name.upper(), "do-not-tell")
    loaded = settings.load()
    assert all(getattr(loaded, name).get_secret_value() == "do-not-tell" for name in SECRETS)
    assert "do-not-tell" not in f"{loaded} {loaded!r} {loaded.model_dump_json()}"
    monkeypatch.setenv(PREFIX + "SPARK_CORES", "1")
    with pytest.raises(SettingsError) as caught:
        settings.load()
    assert "do-not-tell" not in str(caught.value)


def test_whatever_sounds_secret_is_typed_as_a_secret():
    sounding = {name for name in Settings.model_fields if re.search("password|secret|token|signing", name)}
    assert sounding == set(SECRETS)


def test_settings_do_not_change_after_they_were_read():
    with pytest.raises(ValueError, match="frozen"):
        settings.load().spark_cores = 16


def test_the_data_folder_named_in_the_env_file_is_where_addresses_are_read(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "addresses.env").write_text(f"{PREFIX}POSTGRES_PORT=1005\n", encoding="utf-8")
    (folder / ".env").write_text(f"{PREFIX}DATA_DIR=elsewhere\n", encoding="utf-8")
    assert settings.load().postgres_port == 1005


def test_lines_of_other_programs_in_the_env_file_are_theirs(folder: Path) -> None:
    (folder / ".env").write_text(f"DAGSTER_HOME=/x\n{PREFIX}POSTGRES_PORT=1006\n", encoding="utf-8")
    assert settings.load().postgres_port == 1006
