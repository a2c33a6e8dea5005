"""What this process follows of the lake: a thread that looks every few seconds, so that a storage that hangs holds up
nothing else. What cannot be read leaves the last good one in force, and is said once."""

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

_END_SECONDS = 5.0


class Following:
    """`refresh`: takes over what is live now, or raises and leaves all as it was."""

    def __init__(self, what: str, refresh: Callable[[], None]) -> None:
        self._what, self._refresh = what, refresh
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def begin(self, seconds: float, *, at_once: bool = False) -> None:
        """Refresh every so many seconds from now on; once, however often it is called."""
        if self._thread is None:
            name = f"follows {self._what}"
            self._thread = threading.Thread(target=self._follow, args=(seconds, at_once), name=name, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Follow no longer. A refresh under way is waited for: Python, as it ends, unwinds threads that come back to
        it, which kills the process (SIGSEGV) where one does so from deltalake."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(_END_SECONDS)

    def _follow(self, seconds: float, at_once: bool) -> None:
        told = None
        while not self._closed.wait(0 if at_once else seconds):
            at_once = False
            try:
                self._refresh()
                told = None
            except Exception as error:  # a disk that is full, say; whatever it is, the next look may be well
                if str(error) != told:
                    told = str(error)
                    log.error("the last good one stays in force", what=self._what, error=told)
