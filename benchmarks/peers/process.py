"""The processes of an engine: started, measured, ended with all that they started."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType

import psutil  # type: ignore[import-untyped]

from benchmarks.errors import BenchmarkError
from benchmarks.observers import processes
from benchmarks.peers.engines import Engine, Job, environment
from stack import status

_ORDERLY_SECONDS = 40.0


class Running:
    """An engine at work on a job within the block."""

    def __init__(self, engine: Engine, job: Job) -> None:
        self._engine = engine
        self.log = job.folder / "log.txt"
        command, own = engine.start(job)
        with self.log.open("ab") as log:
            self._all = [
                subprocess.Popen(
                    command, env=environment(own), cwd=Path.cwd(), stdout=log, stderr=log, start_new_session=True
                )
                for _ in range(engine.processes)
            ]

    def __enter__(self) -> "Running":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._all:
            process.terminate()
        deadline = time.monotonic() + _ORDERLY_SECONDS
        for process in self._all:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # the session's, which this process began
            process.wait()

    def require_alive(self) -> None:
        """
        Raises:
            BenchmarkError: it ended by itself.
        """
        if any(process.poll() is not None for process in self._all):
            tail = self.log.read_text("utf-8", "replace")[-1500:]
            raise BenchmarkError(f"{self._engine.name} ended by itself; the end of its log:\n{tail}")

    def cpu_seconds(self) -> float:
        return sum(processes.tree_seconds(process.pid) for process in self._all)

    def memory_mb(self) -> float:
        with contextlib.suppress(psutil.Error, OSError):
            return sum(status.rss_mb(process.pid) or 0.0 for process in self._all)
        return 0.0
