"""Plain lines about what the demo is at; where a step takes long, a line at least every two seconds says so."""

import sys
import threading
import time
from types import TracebackType

_SILENCE_SECONDS = 1.8


class News:
    """Within the `with` block silence is filled with the step that goes on."""

    def __init__(self) -> None:
        self._began = self._spoke = time.monotonic()
        self._steps: dict[str, str] = {}
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._fill, name="news", daemon=True)

    @property
    def seconds(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self._began

    def step(self, name: str, event: str) -> None:
        """A service or part, and what happens to it; "ready" ends its step."""
        self._steps[name] = event
        if event in ("ready", "stopped"):
            del self._steps[name]
        self.say(f"{name:10} {event}")

    def say(self, line: str) -> None:
        with self._lock:
            self._spoke = time.monotonic()
            sys.stdout.write(f"{self.seconds:6.1f} s  {line}\n")
            sys.stdout.flush()

    def __enter__(self) -> "News":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _fill(self) -> None:
        while not self._done.wait(0.2):
            if time.monotonic() - self._spoke < _SILENCE_SECONDS:
                continue
            if steps := dict(self._steps):
                try:
                    self.say("... " + ", ".join(f"{name} {event}" for name, event in steps.items()))
                except OSError:
                    return  # nobody listens any more; the main thread meets the same and ends
