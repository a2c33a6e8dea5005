"""One process at a time on a folder of checkpoints. The lock goes with the process, however that ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sensorlake.errors import StreamError

_NAME = "stream.lock"


def is_held(checkpoints: Path) -> bool:
    """Does a stream run on them?"""
    if not (checkpoints / _NAME).is_file():
        return False
    try:
        with held(checkpoints):
            return False
    except StreamError:
        return True


@contextmanager
def held(checkpoints: Path) -> Iterator[None]:
    """
    Raises:
        StreamError: a stream runs on them.
    """
    checkpoints.mkdir(parents=True, exist_ok=True)
    lock = FileLock(checkpoints / _NAME)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StreamError(
            f"another `sensorlake stream` runs on the checkpoints in {checkpoints}; two would write each table. "
            "Stop it first (`sensorlake status` shows it)."
        ) from None
    try:
        yield
    finally:
        lock.release()
