"""The status: one shape, whatever runs; the supervisor's configuration: nothing secret in it."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from sensorlake import settings as settings_module
from sensorlake.errors import StackError
from sensorlake.settings import Settings
from stack import (
    addresses,
    credentials,
    environment,
    layout,
    logs,
    ports,
    selection,
    status,
    status_table,
    supervisor,
    supervisor_config,
)
from stack.layout import Layout, Stack
from stack.program import Program
from stack.services import kafka, postgres
from stack.services.dagster import CONFIG, Dagster, DagsterCode, DagsterDaemon
from stack.services.influxdb import Influxdb
from stack.services.minio import Minio
from stack.services.model_server import ModelServer
from stack.up import stream_program

SERVICE_FIELDS = {"state", "address", "pid", "rss_mb", "restarts"}
QUERY_FIELDS = {"state", "batch", "input_rate", "lag", "last_error"}

LOG = """2026-11-21 08:17:42,101 INFO supervisord started with pid 1
2026-11-21 08:17:42,215 INFO spawned: 'kafka' with pid 2
2026-11-21 08:17:43,221 INFO success: kafka entered RUNNING state, process has stayed up for > than 1 seconds
2026-11-21 08:17:50,000 WARN exited: kafka (terminated by SIGKILL; not expected)
2026-11-21 08:17:51,000 INFO spawned: 'kafka' with pid 3
2026-11-21 08:17:52,000 INFO spawned: 'stream' with pid 4
2026-11-21 08:17:53,000 WARN exited: stream (exit status 1; not expected)
2026-11-21 08:17:54,000 INFO spawned: 'stream' with pid 5
2026-11-21 08:17:55,000 INFO stopped: stream (exit status 0)
2026-11-21 08:17:56,000 INFO spawned: 'stream' with pid 6
"""


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    settings = settings_module.load(tmp_path / "data")
    Layout.of(settings).make()
    return settings


def test_restarts_are_those_that_nobody_asked_for() -> None:
    assert status.count_restarts(LOG) == {"kafka": 1, "stream": 0}
    assert status.count_restarts("") == {}


def test_nothing_running_is_a_whole_status_too(fresh: Settings) -> None:
    found = status.status(fresh)
    assert set(found) == {"services", "queries", "disks", "credentials_file"}
    assert list(found["services"]) == [
        *("kafka", "minio", "postgres", "influxdb"),
        *("dagster-code", "dagster-daemon", "dagster", "model-server"),
    ]
    for service in found["services"].values():
        assert set(service) == SERVICE_FIELDS
        assert service["state"] == "stopped"
        assert service["pid"] is None
    assert found["queries"] == {}
    assert found["credentials_file"] == str(fresh.credentials_file)
    json.dumps(found)
    assert "postgres        stopped" in status_table.render(found)


def test_what_is_left_out_is_shown_as_that_with_all_its_programs(fresh: Settings) -> None:
    services = status.status(fresh, ["dagster", "influxdb"])["services"]
    states = {name: service["state"] for name, service in services.items()}
    assert [name for name, state in states.items() if state == "left out"] == [
        *("influxdb", "dagster-code", "dagster-daemon", "dagster")
    ]


def test_queries_of_a_live_stream_are_shown_and_of_a_dead_one_stopped(fresh: Settings) -> None:
    report = {"queries": {"lake": {"state": "running", "batch": 7, "input_rate": 12.5, "lag": 3}}, "pid": os.getpid()}
    found = status.queries(json.dumps(report))
    assert set(found["lake"]) == QUERY_FIELDS
    assert found["lake"]["state"] == "running"
    assert found["lake"]["last_error"] is None
    reused = status.queries(json.dumps(report | {"updated_at": "2020-01-01T00:00:00+00:00"}))
    assert reused["lake"]["state"] == "stopped"
    dead = status.queries(json.dumps(report | {"pid": 2**22 - 1}))
    assert dead["lake"]["state"] == "stopped"
    assert dead["lake"]["batch"] == 7


def test_queries_of_a_stream_that_hangs_are_not_shown_as_running() -> None:
    told_at = datetime.now(UTC) - timedelta(seconds=status.SILENT_SECONDS + 15)
    report = {"queries": {"lake": {"state": "running", "batch": 7}}, "pid": os.getpid()}
    # As of a process that is older than its report.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psutil.Process, "create_time", lambda _: told_at.timestamp() - 60)
        found = status.queries(json.dumps(report | {"updated_at": told_at.isoformat()}))["lake"]
    assert (found["state"], found["batch"]) == ("silent", 7)
    assert found["last_error"] == "the stream has not said for 75 s how its queries are"


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"queries": {"lake": 1}, "pid": 1}', '{"queries": {}}'])
def test_a_damaged_report_counts_as_none(damaged: str) -> None:
    assert status.queries(damaged) == {}


def test_no_secret_is_in_the_configuration_of_the_supervisor(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made = credentials.ensure(fresh)
    stack = Stack(fresh, Layout.of(fresh), ports.USUAL, made)
    monkeypatch.setattr("stack.servers.find_minio", lambda: Path("/bin/minio"))
    monkeypatch.setattr("stack.servers.find_influxd", lambda: Path("/bin/influxd"))
    monkeypatch.setattr("stack.servers.find_postgres", lambda **_: Path("/bin"))
    monkeypatch.setattr(kafka, "_class_path", lambda: "jars/*")
    monkeypatch.setattr(kafka, "_format", lambda *_: None)
    monkeypatch.setattr(postgres, "_initialise", lambda *_: None)
    services = [kafka.Kafka(), Minio(), postgres.Postgres(), Influxdb(), DagsterCode(), DagsterDaemon(), Dagster()]
    services += [ModelServer()]
    programs = [*(service.prepare(stack) for service in services), stream_program(stack.layout)]
    text = supervisor_config.render(stack.layout, programs)
    assert [value for value in made.values() if value in text] == []
    assert text.count("[program:") == 9
    written = [path.read_text("utf-8") for path in stack.data_of("dagster").iterdir()]
    assert [value for value in made.values() for content in written if value in content] == []
    assert (stack.data_of("minio") / "minio.env").stat().st_mode & 0o077 == 0


def test_dagster_yields_to_all_others_calls_nobody_and_ends_its_runs_with_itself(fresh: Settings) -> None:
    stack = Stack(fresh, Layout.of(fresh), ports.USUAL, credentials.ensure(fresh))
    programs = [service.prepare(stack) for service in (DagsterCode(), DagsterDaemon(), Dagster())]
    assert {program.niceness for program in programs} == {10}
    assert [program.name for program in programs if program.stop_group] == ["dagster-code"]
    for program in programs:
        assert program.environment["DAGSTER_HOME"] == str(fresh.data_dir / "dagster")
        assert program.environment["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"
        assert program.environment["GX_ANALYTICS_ENABLED"] == "false"
    text = supervisor_config.render(stack.layout, programs)
    assert text.count("command=nice -n 10 ") == 3
    assert text.count("stopasgroup=true") == 1
    home = stack.data_of("dagster")
    assert f"port: {ports.USUAL['dagster-code']}" in (home / "workspace.yaml").read_text("utf-8")
    assert (home / "dagster.yaml").read_bytes() == CONFIG.read_bytes()


def test_programs_get_the_settings_of_who_starts_them_but_no_secret(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENSORLAKE_REFRESH_MINUTES", "2")
    monkeypatch.setenv("SENSORLAKE_POSTGRES_PASSWORD", "hidden")
    monkeypatch.setenv("SENSORLAKE_STACK_DIR", "/not/a/setting")
    assert environment.settings_of(os.environ) == {"SENSORLAKE_REFRESH_MINUTES": "2"}
    stack = Stack(fresh, Layout.of(fresh), ports.USUAL, credentials.ensure(fresh))
    for program in (stream_program(stack.layout), DagsterCode().prepare(stack)):
        assert program.environment["SENSORLAKE_REFRESH_MINUTES"] == "2"
        assert program.environment["SENSORLAKE_DATA_DIR"] == str(fresh.data_dir)
        assert "hidden" not in program.environment.values()
    with pytest.raises(StackError, match=r"SENSORLAKE_LAKE_BUCKET has a quotation mark"):
        environment.settings_of({"SENSORLAKE_LAKE_BUCKET": 'a"b'})


def test_the_stream_is_stopped_gently_and_restarted(fresh: Settings) -> None:
    text = supervisor_config.render(Layout.of(fresh), [stream_program(Layout.of(fresh))])
    for line in ("autostart=false", "autorestart=true", "stopsignal=TERM", "stopwaitsecs=25"):
        assert line in text


def test_a_percent_sign_in_a_path_is_not_an_expansion(tmp_path: Path) -> None:
    program = Program("kafka", ["/opt/100%/java", "a b"], tmp_path)
    assert "command=/opt/100%%/java 'a b'" in supervisor_config.render(Layout(tmp_path), [program])


def test_a_long_data_folder_gets_a_short_socket_of_its_own(tmp_path: Path) -> None:
    long = Layout(tmp_path / ("x" * 120))
    assert len(str(long.socket())) <= 98
    assert long.socket().parent.stat().st_mode & 0o077 == 0
    assert long.socket() != Layout(tmp_path / ("y" * 120)).socket()
    for one in (long, Layout(tmp_path / ("y" * 120))):
        one.remove_socket()
        assert not one.socket().exists()
        one.remove_socket()


def test_a_path_that_the_servers_would_misread_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="has % in its path"):
        Layout(tmp_path / "100%").make()


def test_a_socket_folder_that_others_can_enter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_TEMPORARY", tmp_path)
    long = Layout(tmp_path / ("x" * 120))
    long.socket().parent.chmod(0o777)
    with pytest.raises(StackError, match="not a private folder"):
        long.socket()


def test_a_program_cannot_be_started_without_a_supervisor(fresh: Settings) -> None:
    with pytest.raises(StackError, match="sensorlake up"):
        supervisor.start_program(fresh, "stream")
    supervisor.stop_program(fresh, "stream")


def test_an_unknown_or_missing_log_is_named(fresh: Settings) -> None:
    with pytest.raises(StackError, match="no log is called redis; there are kafka"):
        list(logs.tail(Layout.of(fresh), "redis", 5, follow=False))
    with pytest.raises(StackError, match="kafka has not been started"):
        list(logs.tail(Layout.of(fresh), "kafka", 5, follow=False))
    Layout.of(fresh).log_of("kafka").write_text("a\nb\nc\n", encoding="utf-8")
    assert list(logs.tail(Layout.of(fresh), "kafka", 2, follow=False)) == ["b", "c"]


def test_addresses_are_what_settings_read(fresh: Settings) -> None:
    addresses.write(fresh, ports.USUAL | {"minio": 9017, "postgres": 5440})
    loaded = settings_module.load(fresh.data_dir)
    assert loaded.s3_endpoint == "http://127.0.0.1:9017"
    assert loaded.postgres_port == 5440
    assert loaded.dagster_port == 3000
    assert loaded.model_server_url == "http://127.0.0.1:8501"
    assert addresses.demanded_ports(loaded, list(selection.NAMES)) == {}


def test_an_address_of_the_user_is_a_demand_and_a_foreign_one_is_refused(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENSORLAKE_POSTGRES_PORT", "6000")
    monkeypatch.setenv("SENSORLAKE_DAGSTER_PORT", "3100")
    monkeypatch.setenv("SENSORLAKE_S3_ENDPOINT", "https://storage.example:9000")
    loaded = settings_module.load(fresh.data_dir)
    assert addresses.demanded_ports(loaded, ["kafka", "postgres"]) == {"postgres": 6000}
    assert addresses.demanded_ports(loaded, ["dagster"]) == {"dagster": 3100}
    monkeypatch.setenv("SENSORLAKE_MODEL_SERVER_URL", "http://serving.example:8501")
    with pytest.raises(StackError, match="WITHOUT=model-server"):
        addresses.demanded_ports(settings_module.load(fresh.data_dir), ["model-server"])
    with pytest.raises(StackError, match="WITHOUT=minio"):
        addresses.demanded_ports(loaded, ["minio"])
