"""Who yields when processors are short: everything but the alerts.

A reading waits for its alert behind whatever else wants a processor at that moment. What can wait runs at a lower
priority of the operating system: this process's Python, which writes lake and sinks, the workers of the detectors, the
thread that scores by the autoencoder, and the threads of Java's second compiler, which would take a processor for
minutes after each start.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

# Steps of `nice`: each takes a tenth of the share that a thread gets beside one of the step before.
_JUDGING = 3
_STORING = 5
_MODELS = 10
_COMPILING = 10
_COMPILER = "C2 Compiler"


def lower(java: int) -> None:
    """Lower the priority of this thread, of those that it will start, and of the compiler in the process `java`."""
    os.setpriority(os.PRIO_PROCESS, 0, _STORING)
    for thread in _compiler_threads(java):
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, thread, _COMPILING)


def lower_judging() -> None:
    """Lower the priority of this process to that of the detectors: after the alerts, before what is stored."""
    os.setpriority(os.PRIO_PROCESS, 0, _JUDGING)


def lower_models() -> None:
    """Lower the priority of this thread to that of models: after all else."""
    os.setpriority(os.PRIO_PROCESS, 0, _MODELS)


def _compiler_threads(java: int) -> Iterator[int]:
    for task in Path(f"/proc/{java}/task").glob("*"):
        with contextlib.suppress(OSError):
            if (task / "comm").read_text("utf-8").startswith(_COMPILER):
                yield int(task.name)
