"""Memory of this process and all its children: a benchmark that does the work itself."""

import contextlib
import os

import psutil  # type: ignore[import-untyped]

from benchmarks.observers.watch import Watch


class OwnMemory(Watch):
    """`peak_mb`: the largest sum of what the processes share with nobody (USS), as Python workers share their pages."""

    name = "own-memory"
    every = 0.5

    def __init__(self) -> None:
        super().__init__()
        self.peak_mb = 0.0

    def look(self) -> None:
        own = psutil.Process(os.getpid())
        total = 0
        for process in [own, *own.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().uss
        self.peak_mb = max(self.peak_mb, round(total / 2**20, 1))
