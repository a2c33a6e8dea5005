"""A stack of the benchmark's own: fresh folder, free ports; nothing of it is left afterwards."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from benchmarks.errors import BenchmarkError
from sensorlake import settings as settings_module
from sensorlake.settings import Settings
from stack import selection, status, supervisor
from stack.layout import Layout
from stack.up import bring_down, bring_up, log_end
from streaming import topics
from streaming.queries import QUERIES

_READY_SECONDS = 300
Report = Callable[[str], None]


@contextmanager
def running(
    folder: Path,
    report: Report,
    *,
    keep: bool,
    servers: Sequence[str] = selection.SERVERS,
    queries: Sequence[str] = tuple(QUERIES),
    stream: bool = True,
    furnish: Callable[[Settings], None] = lambda _settings: None,
) -> Iterator[Settings]:
    """Servers and the stream with these queries, up within the block.

    Args:
        stream: False leaves it to `start_stream`.
        furnish: makes what the stream shall find in the servers.

    Ctrl-C and SIGTERM end the block by KeyboardInterrupt; a second one cannot leave servers behind.

    Raises:
        BenchmarkError: the folder is in use, or the queries do not start.
        StackError: a server does not start.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BenchmarkError(f"{folder} is not empty: a benchmark starts from nothing, so give --data-dir a new folder")
    os.environ[settings_module.PREFIX + "QUERIES"] = ",".join(queries)
    settings = settings_module.load(folder)
    with _signals_interrupt():
        try:
            settings = bring_up(settings, list(servers), lambda name, event: report(f"{name} {event}"))
            topics.ensure(settings)
            furnish(settings)
            if stream:
                start_stream(settings, queries, report)
            yield settings
        except Exception:
            keep = True  # the error may name a log in it
            raise
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            report("stopping")
            bring_down(settings)
            if keep:
                report(f"kept: {folder}")
            else:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def several(folder: Path) -> Iterator[None]:
    """A folder in which stacks have folders of their own: it goes with the last of them."""
    try:
        yield
    finally:
        with suppress(OSError):  # it is not empty, or a file system of its own: no reason to lose the result
            folder.rmdir()


def start_stream(settings: Settings, queries: Sequence[str], report: Report) -> None:
    """Start the stream and wait until all its queries run.

    Raises:
        BenchmarkError: they do not.
    """
    report("stream starting")
    supervisor.start_program(settings, "stream")
    _await_queries(settings, set(queries))
    report("stream ready")


def stop_stream(settings: Settings, report: Report) -> None:
    report("stream stopping")
    supervisor.stop_program(settings, "stream")


def _await_queries(settings: Settings, wanted: set[str]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    layout = Layout.of(settings)
    while time.monotonic() < deadline:
        report = layout.queries_file
        found = status.queries(report.read_text("utf-8")) if report.is_file() else {}
        if found.keys() == wanted and all(query["state"] == "running" for query in found.values()):
            return
        info = supervisor.processes(layout).get("stream")
        if info is None or info.state in ("FATAL", "BACKOFF", "EXITED"):
            break
        time.sleep(0.5)
    raise BenchmarkError(f"the stream did not start all its queries\n{log_end(layout, 'stream')}")


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
