"""Each file that a command takes, damaged in every way: one line says file, line and reason, the exit code is 2, and
nothing was done by halves. Nothing is sent either: the broker named here is not there, which would be another error."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sensorlake import command_line
from sensorlake.settings import PREFIX

ROWS = 100
LINES = ["timestamp,flow,anomaly", *(f"2026-01-01T00:{row // 60:02d}:{row % 60:02d}Z,{row}.5,0" for row in range(ROWS))]
GOOD = "\n".join(LINES) + "\n"


def with_line(number: int, text: str) -> bytes:
    """The good file with another line `number`, counted from 1."""
    return "\n".join([*LINES[: number - 1], text, *LINES[number:]]).encode() + b"\n"


DAMAGED = {
    "empty": (b"", 1, "the file is empty"),
    "blank lines alone": (b"\n\n \n", 1, "the file is empty"),
    "binary": (b"\x7fELF\x02\x01\x01\0\0\0", 1, "zero byte"),
    "compressed": (b"\x1f\x8b\x08\x08\x55\xaa", 1, "not UTF-8 text"),
    "UTF-16": (GOOD.encode("utf-16"), 1, "zero byte"),
    "Latin-1": (with_line(57, "2026-01-01T00:00:55Z,\xb15,0").replace(b"\xc2", b""), 57, "not UTF-8 text"),
    "no column timestamp": (GOOD.replace("timestamp", "time").encode(), 1, "no column timestamp"),
    "semicolons": (GOOD.replace(",", ";").encode(), 1, "separated by something else"),
    "a column twice": (GOOD.replace("flow", "flow,flow").encode(), 1, "'flow' stands twice"),
    "no header": ("\n".join(LINES[1:]).encode(), 1, "no column timestamp"),
    "no metric": (b"timestamp,location\n2026-01-01T00:00:00Z,x\n", 1, "names no metric"),
    "a comma too many": (with_line(57, LINES[56] + ","), 57, "has 4 cells, the header has 3"),
    "a cell too few": (with_line(57, "2026-01-01T00:00:55Z,1"), 57, "has 2 cells, the header has 3"),
    "cut off": (GOOD[:-14].encode(), 101, "cells, the header has 3"),
    "no number": (with_line(57, "2026-01-01T00:00:55Z,high,0"), 57, "column 'flow': 'high' is not a number"),
    "a decimal comma": (with_line(57, '2026-01-01T00:00:55Z,"5,5",0'), 57, "'5,5' is not a number"),
    "1e400": (with_line(57, "2026-01-01T00:00:55Z,1e400,0"), 57, "not a finite number"),
    "infinity": (with_line(57, "2026-01-01T00:00:55Z,-inf,0"), 57, "not a finite number"),
    "a formula": (with_line(57, "2026-01-01T00:00:55Z,=1+1,0"), 57, "not a number"),
    "no such day": (with_line(57, "2026-02-30T00:00:55Z,1,0"), 57, "not a timestamp"),
    "no time": (with_line(57, ",1,0"), 57, "not a timestamp"),
    "a time of 30 digits": (with_line(57, "1" * 30 + ",1,0"), 57, "not a timestamp"),
    "a device's name of 300": (b"timestamp,device_id,v\n1," + b"d" * 300 + b",1\n", 2, "longer than 256"),
    "a huge line": (with_line(57, "2026-01-01T00:00:55Z," + "1" * 1_100_000 + ",0"), 57, "longer than 1048576 bytes"),
    "a huge cell": (with_line(57, "2026-01-01T00:00:55Z," + "1" * 200_000 + ",0"), 57, "not valid CSV"),
    "an open quote": (with_line(57, '2026-01-01T00:00:55Z,"1,0'), 101, "not valid CSV"),
    "ends of line of an old Macintosh": (GOOD.replace("\n", "\r").encode(), 1, "not valid CSV"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory, where settings lead to no server."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(PREFIX + "KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "pump").mkdir(parents=True)
    (tmp_path / "in" / "a.csv").write_text(GOOD)
    (tmp_path / "in" / "pump" / "b.csv").write_text(GOOD)
    (tmp_path / "runs.json").write_text('{\n"a.csv": {"train_rows": 20},\n"pump/b.csv": {"train_rows": 20}\n}\n')
    return tmp_path


@pytest.fixture
def refused(folder, monkeypatch, capsys):
    """Runs a command that must refuse, and gives what it says; nothing in the working directory may have changed."""

    def run(*arguments):
        before = contents(folder)
        monkeypatch.setattr(sys, "argv", ["sensorlake", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        said = capsys.readouterr()
        assert ended.value.code == 2, said.err
        assert "Traceback" not in said.err
        assert said.err.startswith("sensorlake: "), said.err
        assert contents(folder) == before
        return said.err.removeprefix("sensorlake: ").rstrip("\n")

    return run


def contents(folder):
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


DETECT = ("detect", "in", "--runs", "runs.json", "--out", "out")
EVALUATE = ("evaluate", "in", "--runs", "runs.json", "--pictures", "pictures")


@pytest.mark.parametrize("name", DAMAGED)
def test_replay_refuses_a_damaged_file_although_another_is_whole(refused, folder, name):
    content, line, reason = DAMAGED[name]
    (folder / "bad.csv").write_bytes(content)
    said = refused("replay", "in/a.csv", "bad.csv")
    assert said.startswith(f"bad.csv:{line}: ")
    assert reason in said
    assert "\n" not in said


@pytest.mark.parametrize("command", [DETECT, EVALUATE], ids=["detect", "evaluate"])
@pytest.mark.parametrize("name", DAMAGED)
def test_detect_and_evaluate_refuse_a_damaged_file_although_another_is_whole(refused, folder, name, command):
    content, line, reason = DAMAGED[name]
    (folder / "in" / "pump" / "b.csv").write_bytes(content)
    said = refused(*command)
    assert said.startswith(f"in/pump/b.csv:{line}: ")
    assert reason in said
    assert "\n" not in said


def test_what_is_no_file_is_refused(refused, folder):
    os.mkfifo(folder / "pipe.csv")
    assert refused("replay", "missing.csv") == "missing.csv: No such file or directory"
    assert refused("replay", "in") == "in: Is a directory"
    assert "is no regular file" in refused("replay", "pipe.csv")
    assert "is no regular file" in refused("replay", "/dev/zero")
    assert "File name too long" in refused("replay", "x" * 300)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_without_permission_is_refused(refused, folder):
    (folder / "in" / "a.csv").chmod(0)
    assert refused("replay", "in/a.csv") == "in/a.csv: Permission denied"


def test_a_file_without_a_value_or_without_a_name_that_is_text_is_refused(refused, folder):
    (folder / "bad.csv").write_text("timestamp,flow\n1,\n2,nan\n")
    assert refused("replay", "bad.csv") == "bad.csv: holds no value"
    odd = os.fsdecode(b"pump-\xff.csv")
    (folder / odd).write_text(GOOD)
    assert "name the device by --device" in refused("replay", odd)


RUNS = {
    "empty": ("", 1, "not valid JSON"),
    "cut off": ('{\n"a.csv": {"train_rows": 20', 2, "not valid JSON"),
    "a comma too many": ('{\n"a.csv": {"train_rows": 20},\n}', 3, "not valid JSON"),
    "a comment": ('{\n// all\n"a.csv": {"train_rows": 20}}', 2, "not valid JSON"),
    "wrong encoding": (b'{\n"a.csv": {"train_rows": 20, "set": "\xe4"}}', 2, "is not UTF-8 text"),
    "binary": (b"\0\1\2\3", 1, "not valid JSON"),
    "a list": ('["a.csv"]', 1, "an object with one entry a run is needed"),
    "nothing in it": ("{}", 1, "an object with one entry a run is needed"),
    "a number": ("NaN", 1, "an object with one entry a run is needed"),
    "an entry of another kind": ('{\n"a.csv": 20}', 2, "'a.csv' needs `train_rows`"),
    "no train_rows": ('{\n"a.csv": {"rows": 20}}', 2, "'a.csv' needs `train_rows`"),
    "negative": ('{\n"a.csv": {"train_rows": -1}}', 2, "'a.csv' needs `train_rows`, a whole number from 0"),
    "text": ('{\n"a.csv": {"train_rows": "20"}}', 2, "'a.csv' needs `train_rows`, a whole number from 0"),
    "a fraction": ('{\n"a.csv": {"train_rows": 20.5}}', 2, "'a.csv' needs `train_rows`, a whole number from 0"),
    "true": ('{\n"a.csv": {"train_rows": true}}', 2, "'a.csv' needs `train_rows`, a whole number from 0"),
    "1e400": ('{\n"a.csv": {"train_rows": 1e400}}', 2, "'a.csv' needs `train_rows`, a whole number from 0"),
    "a run twice": ('{\n"a.csv": {"train_rows": 2},\n"a.csv": {"train_rows": 3}}', 3, "'a.csv' stands there twice"),
    "a run twice, spelt anew": ('{\n"a.csv": {"train_rows": 2},\n"./a.csv": {"train_rows": 3}}', 3, "twice"),
    "train_rows twice": ('{\n"a.csv": {"train_rows": 2, "train_rows": 3}}', 2, "says something twice"),
    "a file that is not there": ('{\n"c.csv": {"train_rows": 2}}', 2, "there is no file in/c.csv"),
    "a folder": ('{\n"pump": {"train_rows": 2}}', 2, "there is no file in/pump"),
    "no name": ('{\n"": {"train_rows": 2}}', 2, "there is no file in"),
    "a name too long": ('{\n"' + "x" * 5000 + '": {"train_rows": 2}}', 2, "there is no file in/x"),
    "a name with a zero byte": ('{"a\\u0000.csv": {"train_rows": 2}}', 1, "there is no file in/a"),
    "out of the folder": ('{\n"../runs.json": {"train_rows": 2}}', 2, "must lie below the folder of inputs"),
    "out of it further in": ('{\n"pump/../../x": {"train_rows": 2}}', 2, "must lie below the folder of inputs"),
    "from the root": ('{\n"/etc/passwd": {"train_rows": 2}}', 2, "must lie below the folder of inputs"),
    "a set that is a number": ('{\n"a.csv": {"train_rows": 2, "set": 5}}', 2, "the `set` of 'a.csv' must be text"),
    "a set out of the folder": ('{\n"a.csv": {"train_rows": 2, "set": "../x"}}', 2, "the name of a file"),
}


@pytest.mark.parametrize("command", [DETECT, EVALUATE], ids=["detect", "evaluate"])
@pytest.mark.parametrize("name", RUNS)
def test_a_damaged_list_of_runs_is_refused(refused, folder, name, command):
    content, line, reason = RUNS[name]
    (folder / "runs.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    said = refused(*command)
    assert said.startswith(f"runs.json:{line}: ")
    assert reason in said
    assert "\n" not in said


def test_a_list_of_runs_that_python_itself_cannot_read_is_refused(refused, folder):
    (folder / "runs.json").write_text("[" * 100_000)
    assert "nested too deep" in refused(*DETECT)
    (folder / "runs.json").write_text('{"a.csv": {"train_rows": ' + "1" * 5000 + "}}")
    assert "too many digits" in refused(*DETECT)


def test_a_list_of_runs_that_is_no_file_is_refused(refused, folder):
    assert refused("detect", "in", "--runs", "none.json", "--out", "out") == "none.json: No such file or directory"
    assert refused("detect", "in", "--runs", "in", "--out", "out") == "in: Is a directory"


def test_more_train_rows_than_rows_are_refused(refused, folder):
    (folder / "runs.json").write_text(json.dumps({"a.csv": {"train_rows": 20}, "pump/b.csv": {"train_rows": 101}}))
    for command in (DETECT, EVALUATE):
        assert refused(*command) == "in/pump/b.csv: has 100 rows, and `train_rows` of its run says 101"


def test_labels_that_are_none_are_refused_with_their_line(refused, folder):
    (folder / "in" / "a.csv").write_bytes(with_line(57, "2026-01-01T00:00:55Z,1,maybe"))
    assert refused(*EVALUATE) == "in/a.csv:57: column 'anomaly': 'maybe' is neither 0 nor 1"
    (folder / "in" / "a.csv").write_text("timestamp,flow\n1,2\n" + "2,3\n" * 30)
    assert refused(*EVALUATE).startswith("in/a.csv:1: the header has no column anomaly")


def test_verdicts_never_take_the_place_of_the_readings_or_of_a_folder(refused, folder):
    said = refused("detect", "in", "--runs", "runs.json", "--out", "in")
    assert said == "in/a.csv: the verdicts would take the place of the readings; name another folder"
    (folder / "out" / "pump" / "b.csv").mkdir(parents=True)
    assert refused(*DETECT) == "out/pump/b.csv: the verdicts cannot be written: that is a folder"
    (folder / "taken").write_text("mine")
    said = refused("detect", "in", "--runs", "runs.json", "--out", "taken/out")
    assert said == "taken/out/a.csv: the verdicts cannot be written: taken is no folder"
    said = refused("evaluate", "in", "--runs", "runs.json", "--pictures", "taken")
    assert said.startswith("taken: pictures cannot be written there: ")


@pytest.mark.parametrize("there", [{}, {"out/a.csv": "older", "out/pump/b.csv": "older"}], ids=["new", "replaced"])
def test_verdicts_that_cannot_all_be_written_leave_the_folder_as_it_was(folder, there):
    """The second file is larger than a file may be, as on a disk that is full."""
    (folder / "in" / "pump" / "b.csv").write_text(GOOD + "".join(f"{1_800_000_000 + n},1,0\n" for n in range(300)))
    for name, content in there.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    before = contents(folder)
    command = [str(Path(sys.executable).with_name("sensorlake")), *DETECT]
    shell = f"ulimit -f 8; trap '' XFSZ; exec {' '.join(command)}"
    ended = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False, timeout=120)
    assert (ended.returncode, ended.stderr) == (2, "sensorlake: out: the verdicts cannot be written: File too large\n")
    assert contents(folder) == before


ENVIRONMENT = {
    "binary": (b"\x00\x01\x02", 1, "zero byte"),
    "wrong encoding": (b"# fine\nSENSORLAKE_TOPIC_PREFIX=\xe4\n", 2, "is not UTF-8 text (byte 25 of the line)"),
    "UTF-16": ("SENSORLAKE_TOPIC_PREFIX=a\n".encode("utf-16"), 1, "zero byte"),
    "no equals sign": (b"\n\nSENSORLAKE_TOPIC_PREFIX plant1\n", 3, "cannot be read: a line is NAME=VALUE"),
    "no value": (b"SENSORLAKE_TOPIC_PREFIX\n", 1, "SENSORLAKE_TOPIC_PREFIX has no value"),
    "an open quote": (b'A=1\nSENSORLAKE_TOPIC_PREFIX="plant1\n', 2, "a quote that is opened is closed"),
    "a line of another program": (b"A=1\n\n= 5\n", 3, "cannot be read: a line is NAME=VALUE"),
    "twice": (b"SENSORLAKE_SPARK_CORES=4\n#\nsensorlake_spark_cores=5\n", 3, "SENSORLAKE_SPARK_CORES stands in line 1"),
}


@pytest.mark.parametrize("place", [".env", ".sensorlake/addresses.env", ".sensorlake/credentials.env"])
@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_damaged_file_of_settings_is_refused_by_every_command(refused, folder, name, place):
    content, line, reason = ENVIRONMENT[name]
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).write_bytes(content)
    for command in (("replay", "in/a.csv"), ("status",)):
        said = refused(*command)
        assert said.startswith(f"{place}:{line}: ")
        assert reason in said
        assert "\n" not in said


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("SENSORLAKE_POSTGRES_PORT=five", "SENSORLAKE_POSTGRES_PORT: Input should be a valid integer"),
        ("SENSORLAKE_POSTGRES_PORT=1e400", "SENSORLAKE_POSTGRES_PORT: Input should be a valid integer"),
        ("SENSORLAKE_SPARK_CORES=-1", "SENSORLAKE_SPARK_CORES: Input should be greater than or equal to 4"),
        ("SENSORLAKE_LAKE_TRIGGER_SECONDS=nan", "SENSORLAKE_LAKE_TRIGGER_SECONDS: "),
        ("SENSORLAKE_SPARK_CORE=4", "SENSORLAKE_SPARK_CORE: no such setting"),
        (f"SENSORLAKE_TOPIC_PREFIX={'x' * 100_000}", "SENSORLAKE_TOPIC_PREFIX: String should match"),
        ("SENSORLAKE_TOPIC_PREFIX=../../etc", "SENSORLAKE_TOPIC_PREFIX: String should match"),
    ],
)
def test_a_wrong_value_is_told_with_the_line_where_it_stands(refused, folder, line, reason):
    (folder / ".env").write_text(f"# mine\n\nDAGSTER_HOME=/x\n{line}\n")
    assert f"\n  .env:4: {reason}" in refused("replay", "in/a.csv")


def test_the_value_of_a_variable_is_not_blamed_on_a_file(refused, folder, monkeypatch):
    (folder / ".env").write_text("SENSORLAKE_SPARK_CORES=4\n")
    monkeypatch.setenv("SENSORLAKE_SPARK_CORES", "1")
    assert "\n  SENSORLAKE_SPARK_CORES: " in refused("status")


def test_no_secret_is_told_when_its_line_cannot_be_read(refused, folder):
    for line in ('SENSORLAKE_S3_SECRET_KEY="do-not-tell', "SENSORLAKE_S3_SECRET_KEY do-not-tell"):
        (folder / ".env").write_text(line + "\n")
        assert "do-not-tell" not in refused("status")


@pytest.mark.parametrize("content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nMII\n"])
def test_a_file_of_authorities_that_holds_none_is_refused_before_anything_is_sent(
    refused, folder, monkeypatch, content
):
    monkeypatch.setenv(PREFIX + "KAFKA_TLS", "true")
    monkeypatch.setenv(PREFIX + "TLS_CA_FILE", "ca.pem")
    if content is not None:
        (folder / "ca.pem").write_text(content)
    assert refused("replay", "in/a.csv").startswith("SENSORLAKE_TLS_CA_FILE: ca.pem: ")


@pytest.mark.parametrize("seed", range(20))
def test_whatever_bytes_are_changed_a_file_is_taken_or_refused_in_one_line(folder, monkeypatch, capsys, seed):
    """Files with a few bytes changed, through the whole of `detect`; a refusal leaves nothing behind."""
    chance = random.Random(seed)  # noqa: S311
    for victim in ("in/a.csv", "runs.json", ".env"):
        path = folder / victim
        good = path.read_bytes() if path.exists() else b'SENSORLAKE_SPARK_CORES=4\nSENSORLAKE_QUERIES="all"\n'
        damaged = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(damaged))
            damaged[at : at + chance.randrange(3)] = chance.choice([b"\xff", b"\0", b'"', b"\n", b",", b"{", b"-", b""])
        path.write_bytes(damaged)
        monkeypatch.setattr(sys, "argv", ["sensorlake", *DETECT])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        said = capsys.readouterr().err
        path.write_bytes(good)
        if ended.value.code == 0:  # what was changed says something else now, which is still a file
            shutil.rmtree(folder / "out")
            continue
        assert ended.value.code == 2, (victim, bytes(damaged))
        assert re.match(rf"sensorlake: (settings are wrong|(in/)?{re.escape(path.name)}\b)", said), (
            said,
            bytes(damaged),
        )
        assert not (folder / "out").exists()
