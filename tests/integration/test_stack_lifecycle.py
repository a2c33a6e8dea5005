"""The stack's life: up on other ports, killed and back, down without a trace; its secrets are nowhere to be read."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sensorlake import settings as settings_module
from sensorlake.errors import StackError
from sensorlake.settings import PREFIX, Settings
from stack import credentials, leftovers, ports, status, supervisor, up
from stack.layout import Layout
from stack.program import Program

pytestmark = pytest.mark.integration

SMALL = ["postgres", "minio"]


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the deadline passed"
        time.sleep(0.1)


def service(settings: Settings, name: str) -> dict[str, object]:
    found: dict[str, object] = status.status(settings)["services"][name]
    return found


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of a data folder that nothing runs in yet; whatever runs there afterwards is stopped."""
    for variable in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(variable)
    settings = settings_module.load(tmp_path / "data")
    yield settings
    up.bring_down(settings)


def test_a_killed_server_comes_back_and_is_counted(own: Settings) -> None:
    up.bring_up(own, SMALL)
    for name in SMALL:
        pid = service(own, name)["pid"]
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda name=name, pid=pid: service(own, name)["pid"] not in (None, pid))  # type: ignore[misc]
        wait_until(lambda name=name: service(own, name)["state"] == "running")  # type: ignore[misc]
        assert service(own, name)["restarts"] == 1
    up.bring_up(own, SMALL)  # answers again with the same data and passwords


def test_a_program_beside_the_servers_is_watched_over_like_them(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = Program("stream", ["sleep", "1000"], own.data_dir)
    monkeypatch.setattr(up, "stream_program", lambda _: sleeper)
    up.bring_up(own, ["minio"])
    assert "stream" not in status.status(own)["services"]
    supervisor.start_program(own, "stream")
    supervisor.start_program(own, "stream")
    wait_until(lambda: service(own, "stream")["state"] == "running")
    first = service(own, "stream")["pid"]
    assert isinstance(first, int)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: service(own, "stream")["pid"] not in (None, first))
    assert service(own, "stream")["restarts"] == 1
    supervisor.stop_program(own, "stream")
    assert service(own, "stream")["state"] == "stopped"
    supervisor.start_program(own, "stream")
    assert service(own, "stream")["restarts"] == 0
    up.bring_down(own)
    assert leftovers.find(own.data_dir) == []


def test_down_leaves_no_process_and_up_again_keeps_ports_and_data(own: Settings) -> None:
    first = up.bring_up(own, SMALL)
    running = leftovers.find(own.data_dir)
    assert len(running) >= 3
    up.bring_down(own)
    assert leftovers.find(own.data_dir) == []
    assert not [process for process in running if process.is_running()]
    assert all(service(own, name)["state"] == "stopped" for name in SMALL)
    again = up.bring_up(own, SMALL)
    assert again == first
    up.bring_down(own)
    up.bring_down(own)  # twice is harmless


def test_up_twice_leaves_the_running_servers_alone_and_adds_what_is_asked_for(own: Settings) -> None:
    up.bring_up(own, ["minio"])
    before = service(own, "minio")["pid"]
    assert service(own, "postgres")["state"] == "stopped"
    up.bring_up(own, ["minio"])
    up.bring_up(own, SMALL)
    assert service(own, "minio")["pid"] == before
    assert service(own, "minio")["restarts"] == 0
    assert service(own, "postgres")["state"] == "running"


def test_a_taken_port_is_left_to_its_owner(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        monkeypatch.setitem(ports.USUAL, "minio", taken)
        got = up.bring_up(own, ["minio"])
    assert got.s3_endpoint != f"http://127.0.0.1:{taken}"
    assert service(own, "minio")["address"] == got.s3_endpoint


def test_two_stacks_run_side_by_side(own: Settings, tmp_path: Path) -> None:
    other = settings_module.load(tmp_path / "other")
    try:
        one, two = up.bring_up(own, SMALL), up.bring_up(other, SMALL)
        assert one.postgres_port != two.postgres_port
        assert one.s3_endpoint != two.s3_endpoint
        up.bring_down(own)
        assert all(service(other, name)["state"] == "running" for name in SMALL)
    finally:
        up.bring_down(other)


def test_after_the_supervisor_was_killed_nothing_stale_is_adopted(own: Settings) -> None:
    first = up.bring_up(own, SMALL)
    before = {name: service(own, name)["pid"] for name in SMALL}
    os.kill(supervisor.call(Layout.of(own), "getPID"), signal.SIGKILL)
    wait_until(lambda: not supervisor.is_running(Layout.of(own)))
    assert all(psutil.pid_exists(int(str(pid))) for pid in before.values())
    assert service(own, "minio")["state"] == "stopped"
    got = up.bring_up(own, SMALL)
    assert got == first  # the strays gave their ports back before any was chosen
    after = {name: service(own, name)["pid"] for name in SMALL}
    assert not set(before.values()) & set(after.values())
    assert not [pid for pid in before.values() if psutil.pid_exists(int(str(pid)))]


def test_no_secret_is_in_a_command_line_an_environment_or_a_log(stack_settings: Settings) -> None:
    made = credentials.ensure(stack_settings)
    secrets = [value for value in made.values() if value != made.s3_access_key]
    found = []
    for process in leftovers.find(stack_settings.data_dir):
        text = " ".join([*process.cmdline(), *process.environ().values()])
        found += [(process.name(), "process") for secret in secrets if secret in text]
    for path in [*Layout.of(stack_settings).logs.iterdir(), *Layout.of(stack_settings).run.iterdir()]:
        if path.is_file():
            content = path.read_text(encoding="utf-8", errors="replace")
            found += [(path.name, "file") for secret in secrets if secret in content]
    assert found == []


def test_every_port_is_bound_to_this_machine_alone(stack_settings: Settings) -> None:
    listening = set()
    for process in leftovers.find(stack_settings.data_dir):
        listening |= {c.laddr for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert len({address.port for address in listening}) >= 5
    assert {address.ip for address in listening} <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


def test_the_data_folder_shows_nothing_to_others(stack_settings: Settings) -> None:
    closed = [path for path in stack_settings.data_dir.iterdir() if path.is_dir()]
    assert {"kafka", "minio", "postgres", "influxdb", "logs", "run"} <= {path.name for path in closed}
    assert [path.name for path in closed if path.stat().st_mode & 0o077] == []


def test_lost_credentials_are_explained(own: Settings) -> None:
    up.bring_up(own, ["postgres"])
    up.bring_down(own)
    own.credentials_file.unlink()
    with pytest.raises(StackError, match=r"does not take the passwords(.|\n)*begin anew"):
        up.bring_up(own, ["postgres"])


def test_a_server_that_cannot_start_shows_the_end_of_its_log(own: Settings) -> None:
    up.bring_up(own, ["postgres"])
    up.bring_down(own)
    (own.data_dir / "postgres" / "data" / "postgresql.conf").write_text("no_such_option = 1\n", encoding="utf-8")
    with pytest.raises(StackError, match=r"postgres did not start(.|\n)*no_such_option(.|\n)*postgres\.log"):
        up.bring_up(own, ["postgres"])


def test_the_command_line_in_the_foreground_stops_everything_at_ctrl_c(own: Settings) -> None:
    program = Path(up.stream_program(Layout.of(own)).command[0])
    environment = os.environ | {PREFIX + "DATA_DIR": str(own.data_dir)}
    with subprocess.Popen(
        [program, "up", "--only", "minio"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        wait_for = iter(process.stdout.readline, "")
        assert any("Ctrl-C stops" in line for line in wait_for)
        assert service(own, "minio")["state"] == "running"
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert "all stopped" in rest
    assert process.returncode == 0
    assert leftovers.find(own.data_dir) == []
