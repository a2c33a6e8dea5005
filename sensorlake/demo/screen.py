"""Where views are shown: a live panel on a terminal, a plain line every few seconds elsewhere."""

import sys
import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live

from sensorlake.demo import panel
from sensorlake.demo.view import View

_LINE_SECONDS = 5.0
_STARTING_LINE_SECONDS = 1.9


class Screen:
    """Shows views within its `with` block; `addresses` may grow meanwhile."""

    def __init__(self, notes: Sequence[str]) -> None:
        self.addresses: list[tuple[str, str]] = []
        self._notes = notes
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        self._spoke = 0.0
        self._phase = ""

    def show(self, view: View) -> None:
        if self._live:
            self._live.update(panel.render(view, self.addresses, self._notes), refresh=True)
            return
        now = time.monotonic()
        pause = _LINE_SECONDS if view.readings_in else _STARTING_LINE_SECONDS
        if now - self._spoke >= pause or view.phase != self._phase:
            sys.stdout.write(panel.line(view) + "\n")
            sys.stdout.flush()
            self._spoke, self._phase = now, view.phase

    def __enter__(self) -> "Screen":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
