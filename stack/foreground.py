"""`sensorlake up` as a person sees it: progress while it starts, then news until Ctrl-C, which stops everything."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from sensorlake.settings import Settings
from stack import selection, status, status_table, supervisor
from stack.layout import Layout
from stack.up import bring_down, bring_up

_LOOK_EVERY_SECONDS = 1.0


class _Stopped(BaseException):
    """A signal asked for the end."""


def run(settings: Settings, names: list[str], once_up: Callable[[Settings], None], *, detach: bool) -> None:
    """Start `names`, calling `once_up` when the servers are ready. Unless `detach`, stay until a signal comes and then
    stop everything.

    Where the servers run already (another `up` holds them), it says so and returns: that one keeps them.
    """
    layout = Layout.of(settings)
    # Of those that another `up` is starting, this one must stop none.
    ours = False
    began = time.monotonic()

    def begun(is_first: bool) -> None:
        nonlocal ours
        ours = is_first

    def report(name: str, event: str) -> None:
        _say(f"{name:15} {event} ({time.monotonic() - began:.1f} s)")

    with _signals_end_it():
        try:
            settings = bring_up(settings, names, report, once_up, begun)
            _say(status_table.render(status.status(settings, selection.left_out(os.environ))))
            if detach or not ours:
                _say("up; `sensorlake down` stops them")
                return
            _say("up; Ctrl-C stops them")
            _watch(settings, layout)
        except _Stopped:
            _say("stopping")
            if ours:
                bring_down(settings)
                _say("all stopped")
        except BaseException:
            if ours:
                bring_down(settings)
            raise


def _watch(settings: Settings, layout: Layout) -> None:
    """Tell what dies and what comes back, until the supervisor itself has gone (`sensorlake down` from elsewhere)."""
    before = status.status(settings)["services"]
    while supervisor.is_running(layout):
        time.sleep(_LOOK_EVERY_SECONDS)
        now = status.status(settings)["services"]
        for name, service in now.items():
            old = before.get(name, {"state": "stopped", "restarts": 0})
            if (service["state"], service["restarts"]) != (old["state"], old["restarts"]):
                _say(f"{name:15} {service['state']}, restarts: {service['restarts']}")
        before = now
    _say("stopped from elsewhere")


@contextmanager
def _signals_end_it() -> Iterator[None]:
    def end(_signal: int, _frame: FrameType | None) -> None:
        # Once is enough: an impatient second Ctrl-C must not leave servers behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        raise _Stopped

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
