"""Compiling a server: only the pinned source, a failure that shows its end, what is done kept for the next try."""

import json
from pathlib import Path

import pytest

from sensorlake.errors import StackError
from stack import cache, progress
from stack.builds import compiler, influxd, minio
from stack.builds.go_module import GoModule, Workshop


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `go` that answers with what stands in the file `answer.json`."""
    answer = tmp_path / "answer.json"
    program = tmp_path / "bin" / "go"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat {answer}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return answer


def test_a_module_with_another_hash_is_refused(go: Path, tmp_path: Path) -> None:
    module = GoModule("example.org/m", "v1.0.0", "h1:right=")
    go.write_text(json.dumps({"Sum": "h1:wrong=", "Dir": "/x"}), encoding="utf-8")
    with pytest.raises(StackError, match=r"not the pinned one: h1:wrong=, expected h1:right="):
        Workshop(tmp_path).fetch(module)
    go.write_text(json.dumps({"Sum": "h1:right=", "Dir": "/x"}), encoding="utf-8")
    assert Workshop(tmp_path).fetch(module) == Path("/x")


@pytest.mark.parametrize("answer", ['{"Error": "no network"}', "no network"])
def test_a_module_that_cannot_be_fetched_says_why(answer: str, go: Path, tmp_path: Path) -> None:
    go.write_text(answer, encoding="utf-8")
    with pytest.raises(StackError, match="no network"):
        Workshop(tmp_path).fetch(GoModule("example.org/m", "v1.0.0", "h1:right="))


def test_both_servers_are_pinned_by_hash() -> None:
    assert minio.MODULE.sum.startswith("h1:")
    assert influxd.MODULE.sum.startswith("h1:")


def test_a_failing_compiler_shows_the_end_of_what_it_said(tmp_path: Path) -> None:
    heard: list[str] = []
    script = "for i in $(seq 40); do echo line $i; done; exit 3"
    with pytest.raises(StackError, match=r"failed with 3:(.|\n)*line 26(.|\n)*line 40(.|\n)*build\.log") as caught:
        compiler.run(["sh", "-c", script], cwd=tmp_path, environment={}, log=tmp_path / "build.log", said=heard.append)
    assert "line 25\n" not in str(caught.value)
    assert heard[0] == "line 1"
    assert len((tmp_path / "build.log").read_text(encoding="utf-8").splitlines()) == 40


def test_a_finished_thing_replaces_a_leftover_and_unfinished_work_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    work = cache.partial_dir("thing")
    (work / "made").mkdir()
    (work / "made" / "new").touch()
    final = cache.cache_dir() / "servers" / "thing"
    final.mkdir(parents=True)
    (final / "old").touch()
    cache.move_into_place(work / "made", final)
    assert [path.name for path in final.iterdir()] == ["new"]
    assert cache.partial_dir("thing") == work


def test_progress_off_a_terminal_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.step("compiling x", 2) as step:
        step.advance("a")
        step.note("b")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "compiling x: begun"
    assert lines[-1].startswith("compiling x: done in")
