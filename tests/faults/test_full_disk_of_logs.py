"""The supervisor on a full disk: programs whose logs have no room go on, and what could not start is started again."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack import supervisor, supervisor_config
from stack.layout import Layout
from stack.program import Program
from tests.faults.disks import Disk

TALKER = 'while :; do i=$((i+1)); printf "%01000d\\n" $i; echo $i > "$0.new"; mv "$0.new" "$0"; sleep 0.002; done'
Start = Callable[[list[str]], Layout]


@pytest.fixture
def supervised(disk: Disk) -> Iterator[Start]:
    """Starts the supervisor of a stack on the disk with one program."""
    layout = Layout(disk.folder)

    def start(command: list[str]) -> Layout:
        layout.make()
        supervisor.ensure_running(layout, [Program("talker", command, disk.folder)])
        supervisor.start(layout, "talker")
        return layout

    yield start
    supervisor.shut_down(layout)


def wait_until(what: str, true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.05)


def test_a_program_whose_log_has_no_room_goes_on(disk: Disk, supervised: Start, tmp_path: Path) -> None:
    count = tmp_path / "count"
    layout = supervised(["sh", "-c", TALKER, str(count)])
    wait_until("its first lines", lambda: lines(count) > 50)
    pid = supervisor.processes(layout)["talker"].pid
    with disk.full():
        wait_until("its log to be full", lambda: log_stands(layout))
        before = lines(count)
        wait_until("lines of which the pipe could not hold a third", lambda: lines(count) > before + 200)
        assert supervisor.processes(layout)["talker"].pid == pid
    size = layout.log_of("talker").stat().st_size
    wait_until("its log to grow again", lambda: layout.log_of("talker").stat().st_size > size)


def test_supervisord_as_it_comes_would_end(
    disk: Disk, supervised: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot write its complaint that it cannot write, and leaves all its programs without a supervisor."""
    render = supervisor_config.render
    section = "[rpcinterface:endurance]\nsupervisor.rpcinterface_factory = stack.endurance:begin\n"
    assert section in render(Layout(disk.folder), [])
    monkeypatch.setattr(
        supervisor_config,
        "render",
        lambda *given: render(*given).replace(f"{section}root = {disk.folder}\n", ""),
    )
    layout = supervised(["sh", "-c", TALKER, str(tmp_path / "count")])
    with disk.full():
        wait_until("the supervisor to end", lambda: not supervisor.is_running(layout))


def lines(count: Path) -> int:
    """How many lines the program has written so far."""
    return int(count.read_text("ascii") or 0) if count.is_file() else 0


def log_stands(layout: Layout) -> bool:
    before = layout.log_of("talker").stat().st_size
    time.sleep(0.5)  # time for a hundred lines
    return layout.log_of("talker").stat().st_size == before


@pytest.mark.long
def test_a_program_that_was_given_up_is_started_again_within_a_minute(
    supervised: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    render = supervisor_config.render
    monkeypatch.setattr(
        supervisor_config, "render", lambda *given: render(*given).replace("startretries=30", "startretries=0")
    )
    layout = supervised(["sh", "-c", f"test -f {tmp_path / 'room'} && sleep 1000"])
    wait_until("it to be given up", lambda: supervisor.processes(layout)["talker"].state == "FATAL")
    (tmp_path / "room").touch()
    wait_until("it to be started again", lambda: supervisor.processes(layout)["talker"].state == "RUNNING", 90)
