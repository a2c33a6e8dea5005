"""CPU time and memory of the processes of the stack, and of the machine around them."""

import contextlib
import os
import time
from collections.abc import Iterator

import psutil  # type: ignore[import-untyped]

from benchmarks.observers.watch import Watch
from sensorlake.settings import Settings
from stack import status, supervisor
from stack.layout import Layout


def cpu_seconds(settings: Settings) -> dict[str, float]:
    """CPU seconds so far by server; the stream's Java and Python apart."""
    used: dict[str, float] = {}
    for name, info in supervisor.processes(Layout.of(settings)).items():
        if not info.pid:
            continue
        for process in _tree(info.pid):
            with contextlib.suppress(psutil.Error):
                part = f"{name} {_language(process)}" if name == "stream" else name
                used[part] = used.get(part, 0.0) + _used(process)
    return used


def tree_seconds(pid: int) -> float:
    """CPU seconds so far of a process and of all that it started."""
    seconds = 0.0
    for process in _tree(pid):
        with contextlib.suppress(psutil.Error):
            seconds += _used(process)
    return seconds


def busy_seconds() -> float:
    """CPU seconds of the whole machine that were not idle."""
    times = psutil.cpu_times()
    # user and nice hold the guests' time already
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def own_seconds() -> float:
    """CPU seconds of this process, the observers' own."""
    times = os.times()
    return times.user + times.system


def _tree(pid: int) -> Iterator[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        yield root
        yield from root.children(recursive=True)


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    # Children that ended count with their parent: PostgreSQL has a process a connection, and the sinks connect often.
    return float(times.user + times.system + times.children_user + times.children_system)


def _language(process: psutil.Process) -> str:
    return "java" if process.name() == "java" else "python"


class MemoryWatch(Watch):
    """`peak_mb`: the largest sum seen; `peak_by`: the same by server, whose processes' shared pages count once.
    `samples`: (seconds of time.monotonic, MB by server), every look."""

    name = "memory"
    every = 2.0

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.peak_mb = 0.0
        self.peak_by: dict[str, float] = {}
        self.samples: list[tuple[float, dict[str, float]]] = []
        self._layout = Layout.of(settings)

    def look(self) -> None:
        infos = supervisor.processes(self._layout).values()
        by = {info.name: size for info in infos if info.pid and (size := status.rss_mb(info.pid))}
        with contextlib.suppress(psutil.Error, OSError):
            own = psutil.Process(supervisor.call(self._layout, "getPID")).memory_info()
            by["supervisor"] = round(own.rss / 2**20, 1)
        self.samples.append((time.monotonic(), by))
        if (total := sum(by.values())) > self.peak_mb:
            self.peak_mb, self.peak_by = round(total, 1), by

    def highest_by(self) -> dict[str, float]:
        """The most that each server ever had, whenever that was."""
        found: dict[str, float] = {}
        for _, by in self.samples:
            for name, size in by.items():
                found[name] = max(size, found.get(name, 0.0))
        return found
