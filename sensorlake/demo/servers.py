"""The servers and the stream of a demo: brought up, and taken down again however it ends."""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sensorlake.commands.furnish import furnish
from sensorlake.demo import plan
from sensorlake.errors import StackError
from sensorlake.settings import PREFIX, Settings
from stack import selection, status, supervisor
from stack.layout import Layout
from stack.up import bring_down, bring_up, log_end

STREAM_SECONDS = 240
_MOST_RESTARTS = 3
Report = Callable[[str, str], None]


@contextmanager
def running(
    settings: Settings, left_out: Sequence[str], report: Report, on_leaving: Callable[[], None]
) -> Iterator[Settings]:
    """Within the block the servers run and the stream was started; afterwards no process of this demo does.

    Servers that `sensorlake up` holds already are used and left running. What an earlier demo that was killed left
    behind is stopped first. `on_leaving` is called before anything is taken down, whatever the reason.

    Raises:
        StackError: another demo or a stream runs in this data folder, or a server does not start.
    """
    layout = Layout.of(settings)
    layout.make()
    with _alone(layout):
        if supervisor.is_running(layout) and _is_a_demo(layout):
            report("stack", "stopping what an earlier demo left behind")
            bring_down(settings)
            report("stack", "stopped")
        _require_no_stream(settings, layout)
        ours, before = not supervisor.is_running(layout), dict(os.environ)
        names = selection.servers(os.environ)
        os.environ[PREFIX + "QUERIES"] = ",".join(plan.queries(left_out))
        for name, value in plan.SETTINGS.items():
            os.environ.setdefault(PREFIX + name, value)
        try:
            ready = bring_up(settings, names, report, lambda ready: _furnish_secured(ready, names))
            if ours:
                _mark(layout).write_text(str(supervisor.call(layout, "getPID")), "ascii")
            yield ready
        finally:
            on_leaving()
            if ours:
                report("all", "stopping")
                bring_down(settings)
                _mark(layout).unlink(missing_ok=True)
                report("all", "stopped")
            else:
                report("stream", "stopping")
                supervisor.stop_program(settings, "stream")
                os.environ.clear()
                os.environ.update(before)
                bring_up(settings, names)  # with the settings of before, for whoever starts a stream next
                report("stream", "stopped")


def _mark(layout: Layout) -> Path:
    """Holds the pid of the supervisor that a demo started."""
    return layout.run / "demo.pid"


def _is_a_demo(layout: Layout) -> bool:
    mark = _mark(layout)
    return mark.is_file() and mark.read_text("ascii").strip() == str(supervisor.call(layout, "getPID"))


def _require_no_stream(settings: Settings, layout: Layout) -> None:
    """
    Raises:
        StackError: a stream runs that is no demo's; two would write one lake.
    """
    found = status.status(settings)["services"].get("stream", {}) if supervisor.is_running(layout) else {}
    if found.get("pid"):
        raise StackError(
            f"a stream runs in the data folder {layout.root}, which this demo did not start: end it with "
            "`sensorlake down`, or try the demo in a folder of its own, SENSORLAKE_DATA_DIR=/tmp/demo make demo"
        )


def _furnish_secured(settings: Settings, names: Sequence[str]) -> None:
    """Where the servers are secured the stream, which else would do it, may make neither topics nor tables."""
    if settings.secure:
        furnish(settings, names)


class StreamStart:
    """The wait for the queries of a stream that was told to start."""

    def __init__(self, settings: Settings, wanted: Sequence[str]) -> None:
        self._settings = settings
        self._wanted = wanted
        self._layout = Layout.of(settings)
        self._log = self._layout.log_of("stream")
        self._from = self._log.stat().st_size if self._log.is_file() else 0
        self._began = time.monotonic()
        supervisor.start_program(settings, "stream")

    def is_ready(self, found: dict[str, Any]) -> bool:
        """Do all queries run? `found` is a status.

        Raises:
            StackError: it ends again and again, or takes too long; with the end of its log.
        """
        queries = found["queries"]
        if all(queries.get(name, {}).get("state") == "running" for name in self._wanted):
            return True
        service = found["services"].get("stream", {})
        late = time.monotonic() - self._began > STREAM_SECONDS
        if late or service.get("state") == "failed" or service.get("restarts", 0) >= _MOST_RESTARTS:
            why = f"its queries do not run after {STREAM_SECONDS} s" if late else "it ends again and again"
            raise StackError(f"the stream did not start: {why}\n{log_end(self._layout, 'stream')}")
        return False

    def step(self) -> str:
        """What the stream said last."""
        return next((event["event"] for event in reversed(self._events())), "Java starts")

    def page(self) -> str | None:
        """The address of Spark's own pages."""
        return next((str(event["page"]) for event in reversed(self._events()) if "page" in event), None)

    def _events(self) -> list[dict[str, Any]]:
        """The structured lines of its log since it was told to start; its log is short until queries run."""
        events = []
        for line in _text_from(self._log, self._from).splitlines():
            if line.startswith("{"):
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict) and isinstance(event.get("event"), str):
                    events.append(event)
        return events


def _text_from(path: Path, offset: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(1 << 20).decode("utf-8", errors="replace")
    except OSError:
        return ""


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    try:
        with FileLock(layout.run / "demo.lock", timeout=0):
            yield
    except Timeout:
        raise StackError(
            f"another demo runs in the data folder {layout.root}: end it first, or set "
            "SENSORLAKE_DATA_DIR to another folder"
        ) from None
