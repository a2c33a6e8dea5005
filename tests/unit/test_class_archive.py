"""The archive of Spark's classes belongs to one class path and one Java; where none fits, Spark starts without."""

import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse import class_archive


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Path], Path]:
    """A jar and a Java that comes with an archive of its own classes."""
    monkeypatch.setattr(class_archive, "_FOLDER", tmp_path / "share")
    (tmp_path / "share").mkdir()
    jar, base = tmp_path / "delta.jar", tmp_path / "java" / "lib" / "server" / "classes.jsa"
    base.parent.mkdir(parents=True)
    jar.write_bytes(b"classes")
    base.write_bytes(b"Java's own")
    return [jar], tmp_path / "java"


def test_an_archive_is_used_once_it_is_there(installation: tuple[list[Path], Path]) -> None:
    assert class_archive.flag(*installation) == ""
    archive = class_archive.path(*installation)
    archive.write_bytes(b"")
    assert class_archive.flag(*installation) == f'"-XX:SharedArchiveFile={archive}"'
    assert class_archive.make(*installation) == archive


def test_another_jar_or_another_java_wants_another_archive(installation: tuple[list[Path], Path]) -> None:
    (jar,), java_home = installation
    class_archive.path([jar], java_home).write_bytes(b"")
    jar.write_bytes(b"other classes")
    assert class_archive.flag([jar], java_home) == ""
    class_archive.path([jar], java_home).write_bytes(b"")
    (java_home / "lib" / "server" / "classes.jsa").write_bytes(b"that of another Java")
    assert class_archive.flag([jar], java_home) == ""


def test_a_java_without_an_archive_of_its_own_makes_none(installation: tuple[list[Path], Path]) -> None:
    jars, java_home = installation
    (java_home / "lib" / "server" / "classes.jsa").unlink()
    assert class_archive.make(jars, java_home) is None


def test_an_archive_that_cannot_be_made_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    base = tmp_path / "lib" / "server" / "classes.jsa"
    base.parent.mkdir(parents=True)
    base.write_bytes(b"")
    command = [sys.executable, "-m", "lakehouse.class_archive", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert str(tmp_path) in done.stderr or "java" in done.stderr.lower()
    assert done.stdout == ""
    assert not class_archive.path([], tmp_path).exists()
