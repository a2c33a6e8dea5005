"""The loop beside the stream: Dagster comes up while readings flow, and what it publishes."""

import threading
import time
from collections.abc import Callable, Sequence

from lakehouse import thresholds
from lakehouse.lake import Lake
from lakehouse.thresholds import Version
from sensorlake.errors import SensorlakeError
from sensorlake.settings import Settings
from stack.up import bring_up

_LOOK_SECONDS = 2.0
Report = Callable[[str, str], None]


class DagsterStart:
    """Starts Dagster, and the model server with it, in a thread: it takes half a minute, in which alerts go on."""

    def __init__(self, settings: Settings, names: Sequence[str], report: Report) -> None:
        self._settings = settings
        self._names = list(names)
        self._report = report
        self.error: str | None = None
        self.ready: Settings | None = None
        """The settings to use once it is up."""
        self._thread = threading.Thread(target=self._run, name="dagster-start", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Wait until it is up or has failed, as nothing may be stopped while it starts."""
        if self._thread.ident:
            self._thread.join()

    def _run(self) -> None:
        try:
            self.ready = bring_up(self._settings, self._names, self._report)
        except SensorlakeError as error:
            self.error = str(error)


class Versions:
    """The live version of the thresholds; `published`: those that Dagster published since the demo began."""

    def __init__(self, settings: Settings, began_at: float) -> None:
        self._lake = Lake.of(settings)
        self._began_at = began_at
        self._looked = 0.0
        self.live: Version | None = None
        self.published: list[Version] = []

    def look(self) -> None:
        """Every two seconds at most; a storage that does not answer leaves what was known."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        try:
            found = thresholds.versions(self._lake)
        except (SensorlakeError, OSError):
            return
        self.live = found[0]
        self.published = [
            version
            for version in found
            if version.kind == "refresh" and version.published_at.timestamp() >= self._began_at
        ]

    def seconds_to_first(self) -> float | None:
        """From the demo's start to the first refresh."""
        return self.published[-1].published_at.timestamp() - self._began_at if self.published else None
