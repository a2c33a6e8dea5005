"""A thread that looks again and again until it is stopped; what goes wrong in it is kept for the main thread."""

import threading
from abc import ABC, abstractmethod

from benchmarks.errors import BenchmarkError

_JOIN_SECONDS = 15.0


class Watch(ABC):
    """Calls `look` every `every` seconds (0: without a pause, for a look that waits by itself)."""

    name = "watch"
    every = 1.0

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._watch, name=f"bench-{self.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_SECONDS)

    def require_well(self) -> None:
        """
        Raises:
            BenchmarkError: the thread ended by an error, so that its figures would be wrong.
        """
        if self._error is not None:
            raise BenchmarkError(f"the observer of {self.name} failed: {self._error!r}") from self._error

    @abstractmethod
    def look(self) -> None: ...

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception as error:  # whatever it is, the main thread tells it
                self._error = error
                return
            if self.every:
                self._stop.wait(self.every)
