"""How a demo is told to end: one signal ends it in order, a second one spares the waiting; neither leaves anything."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """The first signal came while the demo was starting, which cannot be waited for."""


class Ending:
    """What was asked for so far. While `breaks` is set, the first signal raises `Interrupted` as well."""

    def __init__(self) -> None:
        self.breaks = True
        self._asked = threading.Event()
        self._hurry = threading.Event()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    @property
    def hurried(self) -> bool:
        """Counts are wanted as they are: a second Ctrl-C came, or a signal from a program, which will not wait long."""
        return self._hurry.is_set()

    def wait(self, seconds: float) -> bool:
        """True as soon as the end was asked for."""
        return self._asked.wait(seconds)

    def signalled(self, number: int, _frame: FrameType | None) -> None:
        first = not self.asked
        self._asked.set()
        if number != signal.SIGINT or not first:
            self._hurry.set()
        if first and self.breaks:
            raise Interrupted


@contextmanager
def on_signals() -> Iterator[Ending]:
    """Within the block the usual signals only tell the `Ending`."""
    ending = Ending()
    before = {number: signal.signal(number, ending.signalled) for number in _SIGNALS}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
