"""The jar sets of `jars.lock` in the cache: one folder a set, complete and verified or not there at all."""

import shutil
from collections.abc import Callable
from pathlib import Path

from sensorlake.errors import StackError
from stack import cache, ivy, jar_lock
from stack.jar_lock import Jar


def jar_paths(section: str) -> list[Path]:
    """The jars of one section of the lock.

    Raises:
        StackError: they are not here yet.
    """
    jars = _locked_jars(section)
    paths = [set_dir(section, jars) / jar.file_name for jar in jars]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise StackError(f"{len(missing)} of {len(paths)} {section} jars are not in the cache: run `make setup`")
    return paths


def spark_classpath() -> list[Path]:
    """The jars that Spark needs beyond pyspark's own: Delta, Kafka, Avro, S3A, a local file system without forks."""
    return jar_paths("spark")


def set_dir(section: str, jars: list[Jar]) -> Path:
    return cache.cache_dir() / "jars" / f"{section}-{jar_lock.fingerprint(jars)}"


def ensure(section: str, *, fetched: Callable[[str], None] = lambda _: None) -> bool:
    """Have the section's jars in the cache, each with the sha256 of the lock; True when something was fetched.

    Every jar is read each time: sha256 of all takes 0.2 s, and a damaged cache is found before Spark trips over it.

    Raises:
        StackError: a jar is not what the lock says, or could not be fetched.
    """
    if is_complete(section):
        return False
    jars = _locked_jars(section)
    final = set_dir(section, jars)
    work = cache.partial_dir(f"jars-{final.name}")
    shutil.rmtree(work / "out", ignore_errors=True)
    shutil.rmtree(work / "set", ignore_errors=True)
    ivy.retrieve(
        [ivy.Dependency(jar.organisation, jar.name, jar.version) for jar in jars], work / "out", work, fetched=fetched
    )
    (work / "set").mkdir()
    for jar in jars:
        (work / "out" / jar.organisation / jar.name / jar.file_name).rename(work / "set" / jar.file_name)
    if wrong := wrong_jars(jars, work / "set"):
        shutil.rmtree(work)  # what came is not to be trusted: the next try starts from nothing
        raise StackError(
            "these jars are not what stack/jars.lock says, so they were thrown away:\n  "
            + "\n  ".join(wrong)
            + "\nA mirror or proxy may have altered them. Try again; if it stays, ask the project."
        )
    cache.move_into_place(work / "set", final)
    shutil.rmtree(work)
    return True


def is_complete(section: str) -> bool:
    """Is every jar of the section here with the sha256 of the lock?"""
    jars = _locked_jars(section)
    return not wrong_jars(jars, set_dir(section, jars))


def wrong_jars(jars: list[Jar], folder: Path) -> list[str]:
    """What is missing from `folder` or has another sha256 than the lock, one line each."""
    wrong = []
    for jar in jars:
        path = folder / jar.file_name
        if not path.is_file():
            wrong.append(f"{jar.file_name}: missing")
        elif (found := jar_lock.sha256_of(path)) != jar.sha256:
            wrong.append(f"{jar.file_name}: sha256 {found}, expected {jar.sha256}")
    return wrong


def _locked_jars(section: str) -> list[Jar]:
    sections = jar_lock.read()
    if section not in sections:
        raise StackError(f"stack/jars.lock has no section [{section}]: run `make lock`")
    return sections[section]
