"""Progress of long steps: a live line on a terminal, a plain line now and then elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

_PLAIN_EVERY_SECONDS = 10.0
_WIDEST_NOTE = 48


class Step:
    """One long step. `advance` and `note` may be called as often as something happens."""

    def __init__(self, name: str, total: int | None, bars: Bars | None) -> None:
        self._name, self._total, self._bars = name, total, bars
        self._done, self._note = 0, ""
        self._began = time.monotonic()
        self._task = bars.add_task(name, total=total, note="") if bars else None
        self._over = threading.Event()
        if not bars:
            self._print(" begun")
            threading.Thread(target=self._tell_now_and_then, daemon=True).start()

    def advance(self, note: str = "") -> None:
        self._done += 1
        self.note(note or self._note)

    def expect(self, total: int) -> None:
        """So many `advance` calls are to come, counted from now."""
        self._total, self._done = total, 0
        self.note(self._note)

    def note(self, text: str) -> None:
        """What is being done now, such as the last line of a compiler."""
        self._note = text if len(text) <= _WIDEST_NOTE else "..." + text[3 - _WIDEST_NOTE :]
        if self._bars and self._task is not None:
            self._bars.update(self._task, completed=self._done, total=self._total, note=self._note)

    def _tell_now_and_then(self) -> None:
        while not self._over.wait(_PLAIN_EVERY_SECONDS):  # a linker says nothing for half a minute
            count = f" {self._done}/{self._total}" if self._total else f" {self._done}" if self._done else ""
            self._print(f"{count} {time.monotonic() - self._began:.0f} s {self._note}".rstrip())

    def stop(self) -> None:
        """No more lines of this step."""
        self._over.set()

    def finish(self) -> None:
        self.stop()
        seconds = time.monotonic() - self._began
        if self._bars and self._task is not None:
            self._bars.remove_task(self._task)
            self._bars.console.print(f"{self._name}: done in {seconds:.0f} s", highlight=False)
        else:
            self._print(f" done in {seconds:.0f} s")

    def _print(self, rest: str) -> None:
        sys.stdout.write(f"{self._name}:{rest}\n")
        sys.stdout.flush()


@contextmanager
def step(name: str, total: int | None = None) -> Iterator[Step]:
    """Show a step from its beginning to its end; on a terminal its time goes on even when nothing is said."""
    console = Console()
    if not console.is_terminal:
        shown = Step(name, total, None)
        try:
            yield shown
        finally:
            shown.stop()
        shown.finish()
        return
    columns = (TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, TextColumn("{task.fields[note]}"), console=console, transient=True) as bars:
        shown = Step(name, total, bars)
        yield shown
        shown.finish()
