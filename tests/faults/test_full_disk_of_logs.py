"""The supervisor on a full disk: programs whose logs have no room go on, and what could not start is started again."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack import supervisor, supervisor_config
from stack.layout import Layout
from stack.program import Program
from tests.faults.stream.disks import Disk, Disks

TALKER = 'while :; do i=$((i+1)); printf "%01000d\\n" $i; echo $i > "$0.new"; mv "$0.new" "$0"; sleep 0.002; done'


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disks = Disks()
    if disks.why_not is not None:
        pytest.skip(disks.why_not)
    disks.mount("data", tmp_path / "data")
    yield disks["data"]
    disks.close()


@pytest.fixture
def supervised(disk: Disk) -> Iterator[Callable[[list[str]], Layout]]:
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


def test_a_program_whose_log_has_no_room_goes_on(
    disk: Disk, supervised: Callable[[list[str]], Layout], tmp_path: Path
) -> None:
    count = tmp_path / "count"
    layout = supervised(["sh", "-c", TALKER, str(count)])

    def said() -> int:
        return int(count.read_text("ascii") or 0) if count.is_file() else 0

    wait_until("its first lines", lambda: said() > 50)
    pid = supervisor.processes(layout)["talker"].pid
    with disk.full():
        wait_until("its log to be full", lambda: disk_is_full(layout))
        before = said()
        wait_until("lines of which the pipe could not hold a third", lambda: said() > before + 200)
        assert supervisor.processes(layout)["talker"].pid == pid
    size = layout.log_of("talker").stat().st_size
    wait_until("its log to grow again", lambda: layout.log_of("talker").stat().st_size > size)


def disk_is_full(layout: Layout) -> bool:
    before = layout.log_of("talker").stat().st_size
    time.sleep(0.2)  # a hundred lines
    return layout.log_of("talker").stat().st_size == before


@pytest.mark.long
def test_a_program_that_was_given_up_is_started_again_within_a_minute(
    supervised: Callable[[list[str]], Layout], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    render = supervisor_config.render
    monkeypatch.setattr(
        supervisor_config, "render", lambda *given: render(*given).replace("startretries=30", "startretries=0")
    )
    layout = supervised(["sh", "-c", f"test -f {tmp_path / 'room'} && sleep 1000"])
    wait_until("it to be given up", lambda: supervisor.processes(layout)["talker"].state == "FATAL")
    (tmp_path / "room").touch()
    wait_until("it to be started again", lambda: supervisor.processes(layout)["talker"].state == "RUNNING", 90)
