"""The jar lock: read back as written, and a jar with another sha256 is refused and thrown away."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from sensorlake.errors import StackError
from stack import cache, ivy, jar_lock, jar_roots, jars
from stack.jar_lock import Jar

GOOD = Jar("org.example", "tool_2.13-x", "1.0", "4" * 64)


def test_a_lock_is_read_back_as_written() -> None:
    sections = {"spark": [GOOD], "kafka": []}
    assert jar_lock.parse(jar_lock.render(sections)) == sections


@pytest.mark.parametrize("line", ["org.example:tool 44", "org.example:tool:1.0 abc", "words"])
def test_a_line_that_is_no_coordinate_is_named(line: str) -> None:
    with pytest.raises(StackError, match="line 2"):
        jar_lock.parse(f"[spark]\n{line}\n")


def test_the_projects_lock_has_every_section_and_names_no_host() -> None:
    text = jar_lock.LOCK_FILE.read_text(encoding="utf-8")
    assert set(jar_lock.parse(text)) == set(jar_roots.ROOTS)
    assert "://" not in text


def test_every_root_is_in_the_lock_in_its_version() -> None:
    locked = jar_lock.read()
    for section, roots in jar_roots.ROOTS.items():
        found = {(jar.organisation, jar.name, jar.version) for jar in locked[section]}
        assert {(root.organisation, root.name, root.version) for root in roots} <= found


def test_no_jar_is_locked_that_pyspark_ships() -> None:
    shipped = [path.name for path in ivy.ivy_jar().parent.glob("*.jar")]
    assert [jar.name for jar in jar_lock.read()["spark"] if jar_roots.is_shipped(jar.name, shipped)] == []


@pytest.fixture
def delivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """A lock with one jar (content b"good") and a repository that delivers what it is told to."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sample = tmp_path / "sample"
    sample.write_bytes(b"good")
    jar = Jar("org.example", "tool", "1.0", jar_lock.sha256_of(sample))
    lock = tmp_path / "jars.lock"
    lock.write_text(jar_lock.render({"spark": [jar]}), encoding="utf-8")
    monkeypatch.setattr(jar_lock, "read", lambda: jar_lock.parse(lock.read_text(encoding="utf-8")))

    def will_deliver(content: bytes) -> None:
        def retrieve(
            wanted: Iterable[ivy.Dependency], into: Path, work: Path, *, fetched: Callable[[str], None]
        ) -> None:
            for dependency in wanted:
                folder = into / dependency.organisation / dependency.name
                folder.mkdir(parents=True)
                (folder / f"{dependency.name}-{dependency.version}.jar").write_bytes(content)
                fetched(dependency.name)

        monkeypatch.setattr(ivy, "retrieve", retrieve)

    return will_deliver


def test_a_jar_with_the_right_sha_lands_in_the_cache_once(delivers: Callable[[bytes], None]) -> None:
    delivers(b"good")
    assert jars.ensure("spark") is True
    assert [path.read_bytes() for path in jars.spark_classpath()] == [b"good"]
    assert jars.ensure("spark") is False
    assert list((cache.cache_dir() / "partial").iterdir()) == []


def test_a_jar_with_another_sha_is_refused_and_thrown_away(delivers: Callable[[bytes], None]) -> None:
    delivers(b"evil")
    with pytest.raises(StackError, match=r"tool-1\.0\.jar: sha256 [0-9a-f]{64}, expected"):
        jars.ensure("spark")
    with pytest.raises(StackError, match="make setup"):
        jars.spark_classpath()
    assert not list(cache.cache_dir().rglob("*.jar"))
    delivers(b"good")
    assert jars.ensure("spark") is True


def test_a_jar_damaged_in_the_cache_is_fetched_again(delivers: Callable[[bytes], None]) -> None:
    delivers(b"good")
    jars.ensure("spark")
    jars.spark_classpath()[0].write_bytes(b"goo")
    assert jars.ensure("spark") is True
    assert jars.spark_classpath()[0].read_bytes() == b"good"
