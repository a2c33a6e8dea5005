"""The second half of `make setup`: jars, PostgreSQL, then what has to be compiled. A second where all is there.

Each part is made aside and renamed when complete, under a lock: it can be interrupted at any point, and two clones can
set up at once.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sensorlake.errors import SensorlakeError
from stack import cache, jar_lock, jars, java, needs, postgres_binaries, progress, selection, servers
from stack.builds import influxd, minio
from stack.progress import Step


def main() -> None:
    began = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGHUP):  # the end of the terminal must end the compilers too
        signal.signal(number, signal.default_int_handler)
    try:
        set_up()
    except SensorlakeError as error:
        sys.stderr.write(f"sensorlake: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("\nsensorlake: interrupted; the same command goes on from here\n")
        sys.exit(130)
    _say(f"complete ({time.monotonic() - began:.1f} s)")


def set_up() -> None:
    """Have everything that the servers and Spark need, verified.

    Raises:
        StackError, MissingToolError: saying what to do.
    """
    needs.check(os.environ)
    without = selection.left_out(os.environ)
    for name in without:
        _say(f"{name}: left out (WITHOUT={os.environ['WITHOUT']})")
    _say(f"java: {java.java_home()}")
    _have_jars("spark")
    _have_class_archive()
    if "kafka" not in without:
        _have_jars("kafka")
    if "postgres" not in without:
        _have_postgres()
    if "minio" not in without:
        _have_built("minio", servers.has_minio, servers.find_minio, minio.build)
    if "influxdb" not in without:
        _have_built("influxdb", servers.has_influxd, servers.find_influxd, influxd.build)


def _have_jars(section: str) -> None:
    locked = jar_lock.read()[section]
    with _lock(f"jars-{section}"):
        if jars.is_complete(section):
            _say(f"{section}: {len(locked)} jars, verified")
            return
        with progress.step(f"{section} jars", len(locked)) as step:
            jars.ensure(section, fetched=step.advance)


def _have_class_archive() -> None:
    """By a program of its own, as set-up knows no Spark. Only speed depends on it: without it all works as well."""
    command = [
        sys.executable,
        "-m",
        "lakehouse.class_archive",
        str(java.java_home()),
        *map(str, jars.spark_classpath()),
    ]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        _say(f"spark: starts some seconds later, as its classes could not be archived: {made.stderr.strip()[-400:]}")
    elif made.stdout.strip():
        _say(f"spark: classes in {made.stdout.strip()}")
    else:
        _say("spark: starts some seconds later, as this Java cannot archive its classes")


def _have_postgres() -> None:
    if not servers.installed_postgres() and not servers.cached_postgres().is_file():
        _have_jars("postgres-binaries")
        with _lock("postgres"):
            if not servers.cached_postgres().is_file():
                with progress.step("postgres"):
                    postgres_binaries.unpack()
    _say(f"postgres: {servers.find_postgres()}")


def _have_built(name: str, have: Callable[[], bool], find: Callable[[], Path], build: Callable[[Step], None]) -> None:
    if not have():
        with _lock(name):
            if not have():  # another clone may have built it while this one waited
                with progress.step(f"compiling {name}") as step:
                    build(step)
    _say(f"{name}: {find()}")


@contextmanager
def _lock(name: str) -> Iterator[None]:
    with cache.locked(name, lambda _: _say(f"{name}: another set-up is at it, waiting")):
        yield


def _say(line: str) -> None:
    sys.stdout.write(f"setup: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
