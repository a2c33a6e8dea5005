"""The cache that all clones of the project share: jars, servers, locks, and places for unfinished work.

What is under its final name is complete: everything is made under `partial/` and renamed, so an interruption at any
point leaves either nothing or the whole thing, and a second clone waits at the lock instead of building again.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sensorlake.errors import StackError


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/sensorlake`, else `~/.cache/sensorlake`; a relative value is ignored, as XDG asks."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".cache"
    return root / "sensorlake"


def partial_dir(name: str) -> Path:
    """A place for unfinished work called `name`; it stays after an interruption, and the next try goes on."""
    path = cache_dir() / "partial" / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def move_into_place(made: Path, final: Path) -> None:
    """Rename a finished file or folder to its final name; a leftover under that name is replaced."""
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.is_dir() and not final.is_symlink():
        doomed = final.with_name(final.name + ".old")
        shutil.rmtree(doomed, ignore_errors=True)
        final.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    made.replace(final)


@contextmanager
def locked(name: str, waiting: Callable[[Path], None] | None = None) -> Iterator[None]:
    """Hold the cache's lock `name`; when another process holds it, call `waiting` once and wait.

    Raises:
        StackError: the cache folder cannot be written.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - set-up reads this module before packages are installed

    path = cache_dir() / "locks" / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0.2)
        except Timeout:
            if waiting:
                waiting(path)
            lock.acquire()
    except OSError as error:
        raise StackError(
            f"cannot write the cache {cache_dir()}: {error.strerror}. Set XDG_CACHE_HOME to a folder of yours."
        ) from error
    try:
        yield
    finally:
        lock.release()
