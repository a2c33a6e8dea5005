"""What `sensorlake doctor` finds, and what it leaves alone."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX, Settings
from stack import env_file
from stack.disks import Disk
from stack.doctor import clock, disk, file_modes, listeners, passwords, transport, versions
from stack.doctor.finding import Finding
from stack.doctor.listeners import Listener
from stack.supervisor_config import MARKER


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation in a folder of its own, with good passwords everywhere."""
    for variable in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    given = settings_module.load(tmp_path / "data")
    secrets = [name for name, value in given if isinstance(value, SecretStr)]
    return given.model_copy(update={name: SecretStr(f"{name:-<40}") for name in secrets})


def test_a_listener_that_other_machines_reach_is_found():
    local = [Listener("java", 1, "127.0.0.1", 9092), Listener("java", 1, "::ffff:127.0.0.1", 4040)]
    found = listeners.findings([*local, Listener("minio", 2, "0.0.0.0", 9000), Listener("influxd", 3, "::", 8086)])  # noqa: S104
    assert [finding.what for finding in found] == [
        "minio (pid 2) listens on 0.0.0.0:9000",
        "influxd (pid 3) listens on :::8086",
    ]


def test_listeners_are_those_of_this_data_folder(tmp_path: Path):
    with socket.socket() as ours:
        ours.bind(("127.0.0.1", 0))
        ours.listen()
        code = "import socket, sys; s = socket.create_server(('0.0.0.0', 0)); "
        code += "print(s.getsockname()[1], flush=True); sys.stdin.read()"
        with subprocess.Popen(
            [sys.executable, "-c", code],
            env=os.environ | {MARKER: str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            port = int(child.stdout.readline())
            found = listeners.of(tmp_path)
            child.communicate("")
    assert [(listener.pid, listener.address, listener.port) for listener in found] == [(child.pid, "0.0.0.0", port)]  # noqa: S104


def test_secrets_and_data_that_others_may_read_are_found_with_their_modes(own: Settings):
    root = own.data_dir
    for folder, mode in {"kafka": 0o755, "minio": 0o700, "run": 0o700}.items():
        (root / folder).mkdir(parents=True)
        (root / folder).chmod(mode)
    env_file.write(own.credentials_file, {"A": "b"}, comment="", mode=0o640)
    env_file.write(own.addresses_file, {"A": "b"}, comment="", mode=0o644)
    env_file.write(root / "minio" / "minio.env", {"A": "b"}, comment="", mode=0o644)
    env_file.write(root / "kafka" / "server.properties", {"A": "b"}, comment="", mode=0o600)
    found = [finding.what for finding in file_modes.findings(own)]
    assert found == [
        f"other users may enter folders of {root}: kafka (mode 0755)",
        f"{own.credentials_file} may be read by other users (mode 0640)",
    ]


def test_the_users_own_settings_matter_only_with_a_secret_in_them(own: Settings, tmp_path: Path):
    env = tmp_path / ".env"
    env_file.write(env, {"SENSORLAKE_POSTGRES_PORT": "5433"}, comment="", mode=0o644)
    assert file_modes.findings(own, env) == []
    env_file.write(env, {"SENSORLAKE_POSTGRES_PASSWORD": "x"}, comment="", mode=0o644)
    assert [finding.what for finding in file_modes.findings(own, env)] == [
        f"{env} may be read by other users (mode 0644)"
    ]


def test_good_passwords_are_well(own: Settings):
    assert passwords.findings(own) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"postgres_password": ""}, "SENSORLAKE_POSTGRES_PASSWORD is not set"),
        ({"s3_secret_key": "minioadmin"}, "SENSORLAKE_S3_SECRET_KEY is a well-known default"),
        ({"influxdb_token": "tiny-one"}, "SENSORLAKE_INFLUXDB_TOKEN is shorter than 16 characters"),
        (
            {"influxdb_token": "s" * 30, "s3_secret_key": "s" * 30},
            "SENSORLAKE_S3_SECRET_KEY and SENSORLAKE_INFLUXDB_TOKEN are the same",
        ),
    ],
)
def test_a_password_that_is_no_protection_is_found_and_never_shown(own: Settings, changes, expected):
    weak = own.model_copy(update={name: SecretStr(value) for name, value in changes.items()})
    found = passwords.findings(weak)
    assert [finding.what for finding in found] == [expected]
    assert not any(value and value in str(found) for value in changes.values())


def test_kafka_needs_a_password_only_where_one_logs_in(own: Settings):
    empty = own.model_copy(update={"kafka_password": SecretStr("")})
    assert passwords.findings(empty) == []
    found = passwords.findings(empty.model_copy(update={"kafka_user": "stream"}))
    assert [finding.what for finding in found] == ["SENSORLAKE_KAFKA_PASSWORD is not set"]


def test_only_what_crosses_a_network_must_be_encrypted(own: Settings):
    assert transport.findings(own) == []
    away = {"s3_endpoint": "http://storage.example:9000", "postgres_host": "db.example"}
    assert [finding.what for finding in transport.findings(own.model_copy(update=away))] == [
        "SENSORLAKE_S3_ENDPOINT leads to storage.example without TLS",
        "SENSORLAKE_POSTGRES_HOST leads to db.example without TLS",
    ]
    encrypted = {"s3_endpoint": "https://storage.example:9000", "postgres_host": "db.example", "postgres_tls": True}
    assert transport.findings(own.model_copy(update=encrypted)) == []


def test_a_disk_that_is_nearly_full_is_found(tmp_path: Path):
    def judged(free: int, total: int) -> list[Finding]:
        return disk.judged(Disk(tmp_path, ("kafka",), free * 2**30, total * 2**30))

    assert judged(50, 100) == []
    assert "4.0 GiB of 10 GiB are free" in judged(4, 10)[0].what
    assert "10.0 GiB of 1000 GiB are free" in judged(10, 1000)[0].what
    assert judged(0, 1000)[0].what == f"the disk at {tmp_path} is full: 0 of 1024000 MB free"
    assert judged(0, 1000)[0].why == "what lies on it stops when it is full: kafka"


def test_clocks_that_differ_are_found():
    found = clock.judged({"PostgreSQL": 61.0, "InfluxDB": -30.0, "the object storage": 1.0})
    assert [finding.what for finding in found] == [
        "the clock of PostgreSQL is 61 s ahead of this machine's",
        "the clock of InfluxDB is 30 s behind this machine's",
    ]


def test_servers_that_do_not_answer_tell_no_time(own: Settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]  # nobody listens on it
        away = {"s3_endpoint": f"http://127.0.0.1:{port}", "influxdb_url": f"http://127.0.0.1:{port}"}
        assert clock.skews(own.model_copy(update=away | {"postgres_port": port})) == {}


def test_packages_are_compared_with_the_lock():
    installed = versions.locked(versions.LOCK)
    assert installed["pyspark"] == "4.2.0"
    assert versions.packages({"pyspark": "4.2.0", "not-installed": "1"}) == []
    assert "pyspark 4.2.0 instead of 4.1.0" in versions.packages({"pyspark": "4.1.0"})[0].what


def test_the_command_says_what_to_do_and_exits_with_1(tmp_path: Path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment[PREFIX + "DATA_DIR"] = str(tmp_path)
    command = [sys.executable, "-c", "from sensorlake.command_line import main; main()", "doctor"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert shown.returncode == 1, shown.stderr
    assert "SENSORLAKE_POSTGRES_PASSWORD is not set" in " ".join(shown.stdout.split())
    told = subprocess.run(
        [*command, "--json"], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    found = json.loads(told.stdout)
    assert all(finding["why"] and finding["remedy"] for finding in found["findings"])
    assert {"ports", "file modes", "credentials", "versions", "disk", "clock"} <= set(found["areas"])
