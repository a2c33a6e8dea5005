"""Processes of a stack that outlived their supervisor (it was killed, or the machine's memory ran out)."""

import contextlib
import os
import signal
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from stack.supervisor_config import MARKER

_PATIENCE_SECONDS = 20


def find(root: Path) -> list[psutil.Process]:
    """Every process that carries this data folder's mark, oldest first; never this process itself."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARKER) == str(root):
                found.append(process)
    return sorted(found, key=lambda process: process.pid)


def stop(root: Path) -> int:
    """End them, politely first; how many there were."""
    processes = find(root)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            # PostgreSQL takes TERM as "wait until every client has gone", INT as "shut down cleanly now".
            process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=_PATIENCE_SECONDS)
    for process in alive + find(root):
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    return len(processes)
