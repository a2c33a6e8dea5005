"""The end of a server's log, and what is added to it."""

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from sensorlake.errors import StackError
from stack.layout import Layout
from stack.selection import programs

_LOOK_EVERY_SECONDS = 0.3


def path_of(layout: Layout, name: str) -> Path:
    """The log of a service, of the stream or of the supervisor.

    Raises:
        StackError: there is no such log.
    """
    known = (*programs(), "stream", "supervisor")
    if name not in known:
        raise StackError(f"no log is called {name}; there are {', '.join(known)}")
    path = layout.supervisor_log if name == "supervisor" else layout.log_of(name)
    if not path.is_file():
        raise StackError(f"{name} has not been started in {layout.root} yet")
    return path


def tail(layout: Layout, name: str, lines: int, *, follow: bool) -> Iterator[str]:
    """The last `lines` lines; with `follow` every new one too, also after the log was rotated."""
    path = path_of(layout, name)
    file = path.open(encoding="utf-8", errors="replace")
    try:
        yield from (line.rstrip("\n") for line in deque(file, lines))
        while follow:
            if line := file.readline():
                yield line.rstrip("\n")
            elif path.exists() and path.stat().st_ino != Path(f"/proc/self/fd/{file.fileno()}").stat().st_ino:
                file.close()
                file = path.open(encoding="utf-8", errors="replace")
            else:
                time.sleep(_LOOK_EVERY_SECONDS)
    finally:
        file.close()
