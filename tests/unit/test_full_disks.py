"""A full disk: found in what the stores say, told in words, and no end of who writes reports and logs."""

import errno
import io
import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from supervisor.states import ProcessStates

from sensorlake import command_line, logs
from sensorlake import settings as settings_module
from sensorlake.settings import Settings
from stack import disks, endurance, influxdb_start, status_table
from stack.disks import MINIO_SHARE, Disk
from streaming import full_disks, report

MEGABYTE = 2**20


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    settings = settings_module.load(tmp_path)
    settings.checkpoint_dir.mkdir()
    (tmp_path / "minio").mkdir()
    return settings


SPARK = (
    "[STREAM_FAILED] Query [id = 1] terminated with exception: Job aborted due to stage failure: Task 0 in stage 3.0 "
    "failed 1 times: org.apache.hadoop.fs.FSError: java.io.IOException: No space left on device\n\tat java.base/a.b"
)
ROCKSDB = "org.rocksdb.RocksDBException: No space left on device: While appending to file: /x/000013.log"
POSTGRES = (
    "pg8000.exceptions.DatabaseError: {'S': 'ERROR', 'V': 'ERROR', 'C': '53100', 'M': 'could not extend file "
    "\"base/16385/1\": No space left on device', 'H': 'Check free disk space.'}"
)
INFLUXDB = (
    "influxdb_client.rest.ApiException: (500)\nReason: Internal Server Error\nHTTP response body: "
    '{"code":"internal error","message":"unexpected error writing points to database: engine: error writing WAL entry: '
    'write /x/_00001.wal: no space left on device"}'
)
MINIO = (
    "OSError: Generic S3 error: Server returned non-2xx status code: 507 Insufficient Storage: <Error><Code>"
    "XMinioStorageFull</Code><Message>Storage backend has reached its minimum free drive threshold.</Message></Error>"
)


@pytest.mark.parametrize(
    ("error", "whose"),
    [
        (SPARK, "that of the stream's checkpoints, {data}/checkpoints ("),
        (ROCKSDB, "that of the stream's checkpoints, {data}/checkpoints ("),
        ("[Errno 122] Disk quota exceeded", "that of the stream's checkpoints, {data}/checkpoints ("),
        (POSTGRES, "that of PostgreSQL at 127.0.0.1:5432. "),
        (INFLUXDB, "that of InfluxDB at 127.0.0.1:8086. "),
        (MINIO, "that of the object storage at 127.0.0.1:9000, {data}/minio ("),
    ],
    ids=["spark", "state store", "quota", "postgres", "influxdb", "minio"],
)
def test_a_full_disk_is_named_with_its_place_and_what_to_do(own: Settings, error: str, whose: str) -> None:
    said = full_disks.explained(own, OSError(error))
    assert said.startswith("disk full: " + whose.format(data=own.data_dir))
    assert "Make room there; this query then goes on by itself" in said
    assert "\n" not in said


def test_other_errors_are_told_as_ever(own: Settings) -> None:
    assert full_disks.explained(own, OSError("no route to host")) == "no route to host"
    assert full_disks.explained(own, None) == "stopped from outside"


def test_a_disk_is_full_before_nothing_at_all_is_left() -> None:
    terabyte = 2**20 * MEGABYTE
    assert Disk(Path("/d"), ("postgres",), 15 * MEGABYTE, terabyte).is_full
    assert not Disk(Path("/d"), ("postgres",), 17 * MEGABYTE, terabyte).is_full
    assert Disk(Path("/d"), ("minio",), int(MINIO_SHARE * terabyte) - 1, terabyte).is_full
    without_files = Disk(Path("/d"), ("kafka",), terabyte, terabyte, files=3)
    assert without_files.complaint == (
        "disk full: 1048576 of 1048576 MB free, and 3 more files at /d, which holds kafka. "
        "Make room there; what stopped goes on by itself"
    )


def test_folders_on_one_disk_are_told_together(tmp_path: Path) -> None:
    for name in ("checkpoints", "minio"):
        (tmp_path / name).mkdir()
    (disk,) = disks.of(tmp_path)
    assert (disk.place, disk.holds) == (tmp_path, ("checkpoints", "minio"))
    (same,) = disks.of(tmp_path / "not" / "made" / "yet")
    assert same.place == tmp_path
    assert 0 < disk.free <= disk.total


def test_the_table_ends_with_the_disks_that_are_full() -> None:
    found = {"services": {}, "queries": {}, "credentials_file": "c"}
    shown = status_table.render(found | {"disks": [{"full": "disk full: 0 MB"}, {"full": None}]})
    assert shown.endswith("\n\ndisk full: 0 MB\n\ncredentials: c")


def test_a_report_is_written_over_in_its_place(tmp_path: Path) -> None:
    """Where nothing new fits on a disk, what was taken before still can be written."""
    path = tmp_path / "run" / "queries.json"
    report.write(path, json.dumps({"number": 0}))
    files = {file.stat().st_ino: file.stat().st_blocks for file in path.parent.iterdir()}
    for number in range(5):
        report.write(path, json.dumps({"number": number}))
        assert json.loads(path.read_text("utf-8")) == {"number": number}
    assert {file.stat().st_ino: file.stat().st_blocks for file in path.parent.iterdir()} == files
    assert all(blocks * 512 >= report.ROOM for blocks in files.values())


def test_a_log_on_a_full_disk_ends_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("sys.stderr", Full())
    logs.configure()
    structlog.get_logger().error("nobody reads this")


def test_a_command_says_which_file_had_no_room(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/run/supervisord.conf")

    monkeypatch.setattr(command_line, "app", full)
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 1
    assert "disk full: no room for /data/run/supervisord.conf. Make room there" in capsys.readouterr().err


def test_only_programs_that_were_given_up_are_started_again() -> None:
    started = []

    def process(name: str, state: int) -> SimpleNamespace:
        return SimpleNamespace(get_state=lambda: state, spawn=lambda: started.append(name))

    states = {"kafka": ProcessStates.FATAL, "minio": ProcessStates.STOPPED, "stream": ProcessStates.BACKOFF}
    groups = {name: SimpleNamespace(processes={name: process(name, state)}) for name, state in states.items()}
    endurance.start_again(SimpleNamespace(process_groups=groups))
    assert started == ["kafka"]


def test_influxdb_is_started_anew_once_its_disk_has_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signals: list[int] = []
    process = SimpleNamespace(
        config=SimpleNamespace(name="influxdb"), get_state=lambda: ProcessStates.RUNNING, signal=signals.append
    )
    supervisord = SimpleNamespace(process_groups={"influxdb": SimpleNamespace(processes={"influxdb": process})})
    look = endurance.AfterFullDisk(supervisord, tmp_path, "influxdb")
    for free, ended in ((900, 0), (0, 0), (17, 0), (900, 1), (900, 1), (15, 1), (33, 2)):
        monkeypatch.setattr(endurance.shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free * MEGABYTE))
        look()
        assert signals == [signal.SIGTERM] * ended
    monkeypatch.undo()
    endurance.AfterFullDisk(supervisord, tmp_path / "not made", "influxdb")()


def test_influxdb_begins_new_files_behind_those_that_may_be_cut_off(tmp_path: Path) -> None:
    shard, other = (tmp_path / "wal" / "bucket" / "autogen" / number for number in "12")
    for folder in (shard, other):
        folder.mkdir(parents=True)
    for name in ("_00001.wal", "_00009.wal"):
        (shard / name).write_bytes(b"x")
    for _ in range(2):
        influxdb_start.begin_new_files(tmp_path)
    assert {file.name: file.stat().st_size for file in shard.iterdir()} == {
        "_00001.wal": 1,
        "_00009.wal": 1,
        "_00010.wal": 0,
    }
    assert list(other.iterdir()) == []
