"""Runs a compiler in the background of the machine and tells what it is at."""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from sensorlake.errors import StackError

# Both servers' caches and objects at their largest.
_SCRATCH_BYTES = 6 * 2**30


def run(
    command: list[str], *, cwd: Path, environment: Mapping[str, str], log: Path, said: Callable[[str], None]
) -> None:
    """Run `command` politely (nice), call `said` with each line as it comes, keep all of them in `log`.

    Raises:
        StackError: with the last lines and where all of them are.
    """
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            ["nice", "-n", "5", *command],
            cwd=cwd,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - Popen was asked for a pipe
        try:
            for line in process.stdout:
                file.write(line)
                said(line.strip())
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        raise StackError(
            f"`{' '.join(command[:3])}` failed with {process.returncode}:\n"
            + "\n".join(f"  | {line}" for line in last)
            + f"\n  (all of it: {log}). What is done so far is kept: the same command goes on from there."
        )


def check_space(folder: Path) -> None:
    """Refuse to begin a build that would fill the disk.

    Raises:
        StackError: naming the folder and the variable that moves it.
    """
    stat = os.statvfs(folder)
    free = stat.f_bavail * stat.f_frsize
    if free < _SCRATCH_BYTES:
        raise StackError(
            f"{folder} has {free / 2**30:.1f} GiB free; compiling takes {_SCRATCH_BYTES / 2**30:.0f} GiB for a while.\n"
            "Free some, or set XDG_CACHE_HOME to a folder on another disk."
        )
