"""Every setting of sensorlake: typed, validated, read once at the edge and passed inwards.

Later sources win: the defaults below, `addresses.env` and `credentials.env` in the data folder (written by
`sensorlake up`; where the servers are secured, each part has `services/PART.env` in place of the latter), `.env` in the
working directory, the environment. `.env.example` explains each variable; a test holds the two together.
"""

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from sensorlake import settings_files
from sensorlake.errors import SettingsError

PREFIX = "SENSORLAKE_"
DEFAULT_DATA_DIR = Path(".sensorlake")

Service = Literal["operator", "stream", "edge", "orchestration", "reporting", "serving", "dashboards"]
"""As which part of sensorlake a process logs in to the servers."""


class Settings(BaseSettings):
    """All settings; the environment variable of a field is its upper-case name after `SENSORLAKE_`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, dotenv_filtering="match_prefix", extra="forbid", frozen=True
    )

    data_dir: Path = DEFAULT_DATA_DIR
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    secure: bool = False
    service: Service = "operator"
    tls_ca_file: str = ""

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_tls: bool = False
    kafka_user: str = Field(default="", pattern=r"^[A-Za-z0-9._-]*$")
    kafka_password: SecretStr = SecretStr("")
    kafka_partitions: int = Field(default=2, ge=1, le=1024)
    topic_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,64}$")

    s3_endpoint: str = Field(default="http://127.0.0.1:9000", pattern=r"^https?://")
    s3_access_key: str = "sensorlake"
    s3_secret_key: SecretStr = SecretStr("")
    lake_bucket: str = Field(default="lake", pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    models_bucket: str = Field(default="models", pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    model_signing_key: SecretStr = SecretStr("")
    model_server_url: str = Field(default="http://127.0.0.1:8501", pattern=r"^https?://")
    model_server_token: SecretStr = SecretStr("")

    postgres_host: str = "127.0.0.1"
    postgres_port: int = Field(default=5432, ge=1, le=65535)
    postgres_tls: bool = False
    postgres_database: str = Field(default="sensorlake", pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    postgres_user: str = "sensorlake"
    postgres_password: SecretStr = SecretStr("")

    influxdb_url: str = Field(default="http://127.0.0.1:8086", pattern=r"^https?://")
    influxdb_org: str = "sensorlake"
    influxdb_bucket: str = Field(default="sensors", min_length=1)
    influxdb_token: SecretStr = SecretStr("")

    queries: str = Field(default="all", pattern=r"^[a-z]+(,[a-z]+)*$")
    spark_cores: int = Field(default=4, ge=4, le=512)
    spark_driver_memory: str = Field(default="2g", pattern=r"^\d+[mg]$")
    alerts_batch_seconds: int = Field(default=50, ge=5, le=600)
    detect_trigger_seconds: float = Field(default=0.4, ge=0, le=600)
    detect_shards: int = Field(default=2, ge=1, le=256)
    detect_forget_hours: int = Field(default=168, ge=1, le=100_000)
    autoencoder_trigger_seconds: float = Field(default=10, gt=0, le=600)
    autoencoder_seconds: float = Field(default=3, gt=0, le=600)
    autoencoder_alarm_score: float = Field(default=2, gt=0, le=1000)
    model_scoring: str = Field(default="process", pattern=r"^(process|server)$")
    lake_trigger_seconds: float = Field(default=10, gt=0, le=600)
    metrics_trigger_seconds: float = Field(default=5, gt=0, le=600)
    sinks_trigger_seconds: float = Field(default=2, gt=0, le=600)
    lateness_seconds: int = Field(default=30, ge=0, le=3600)
    remember_seconds: int = Field(default=300, ge=0, le=86_400)
    max_message_bytes: int = Field(default=1_048_576, ge=1024, le=8_388_608)
    max_records_per_batch: int = Field(default=500_000, ge=1000)

    first_day: date = date(2026, 11, 1)
    baseline_days: int = Field(default=7, ge=1, le=90)
    baseline_min_readings: int = Field(default=30, ge=2, le=1_000_000)
    shift_minutes: float = Field(default=360, gt=0, le=100_000)
    refresh_minutes: float = Field(default=1440, gt=0, le=100_000)
    retry_minutes: float = Field(default=15, gt=0, le=100_000)
    drift_minutes: float = Field(default=120, gt=0, le=100_000)
    drift_limit: float = Field(default=0.25, gt=0, le=10)
    alarm_rate_limit: float = Field(default=0.01, gt=0, le=1)
    rollback_hold_minutes: float = Field(default=1440, ge=0, le=100_000)
    training_devices: int = Field(default=100, ge=1, le=100_000)
    training_sequences: int = Field(default=4000, ge=10, le=10_000_000)
    training_epochs: int = Field(default=15, ge=1, le=10_000)
    raw_retention_days: int = Field(default=30, ge=1, le=36_500)
    feature_retention_days: int = Field(default=365, ge=1, le=36_500)
    anomaly_retention_days: int = Field(default=365, ge=1, le=36_500)
    dagster_port: int = Field(default=3000, ge=1, le=65535)

    @property
    def checkpoint_dir(self) -> Path:
        return self.data_dir.absolute() / "checkpoints"

    @property
    def credentials_file(self) -> Path:
        return self.data_dir.absolute() / "credentials.env"

    def credentials_of(self, service: Service) -> Path:
        """The file of one part's own users and passwords; there where the servers are secured."""
        return _credentials_of(self.data_dir.absolute(), service)

    @property
    def addresses_file(self) -> Path:
        return self.data_dir.absolute() / "addresses.env"


def load(data_dir: Path | None = None, service: Service | None = None) -> Settings:
    """Read the settings of this process, with what `service` logs in as; by default as SENSORLAKE_SERVICE says.

    Raises:
        SettingsError: naming each variable that is wrong with its file and line, the value's fault and never a
            secret's value; or a file that cannot be read.
    """
    variable = PREFIX + "DATA_DIR"
    settings_files.places([Path(".env")], PREFIX)  # it says where the others lie
    chosen = data_dir or Path(os.environ.get(variable) or dotenv_values(".env").get(variable) or DEFAULT_DATA_DIR)
    own = _credentials_of(chosen, service or os.environ.get(PREFIX + "SERVICE") or "operator")
    files = [chosen / "addresses.env", own if own.is_file() else chosen / "credentials.env", Path(".env")]
    places = settings_files.places(files, PREFIX)
    try:
        settings = Settings(_env_file=files, _env_file_encoding="utf-8")
    except ValidationError as error:
        raise SettingsError(_explain(error, places)) from None
    changed = ({"data_dir": chosen.absolute()} if data_dir else {}) | ({"service": service} if service else {})
    return settings.model_copy(update=changed) if changed else settings


def of_service(settings: Settings, service: Service) -> Settings:
    """The same installation as another part logs in to it; unchanged where the servers are not secured."""
    if not settings.credentials_of(service).is_file():
        return settings
    own = load(settings.data_dir, service)
    return settings.model_copy(update={name: getattr(own, name) for name in _LOGIN} | {"service": service})


_LOGIN = (
    *("kafka_user", "kafka_password", "s3_access_key", "s3_secret_key", "postgres_user", "postgres_password"),
    *("influxdb_token", "model_signing_key", "model_server_token"),
)


def _credentials_of(data_dir: Path, service: str) -> Path:
    return data_dir / "services" / f"{service}.env"


def _explain(error: ValidationError, places: Mapping[str, str]) -> str:
    given = {name.upper() for name in os.environ}
    lines = []
    for fault in error.errors(include_url=False, include_input=False):
        name = str(fault["loc"][0]) if fault["loc"] else "?"
        variable = name.upper() if name.upper().startswith(PREFIX) else PREFIX + name.upper()
        reason = "no such setting" if fault["type"] == "extra_forbidden" else fault["msg"]
        place = f"{places[variable]}: " if variable in places and variable not in given else ""
        lines.append(f"{place}{variable}: {reason}")
    return "settings are wrong (see .env.example):\n  " + "\n  ".join(lines)
