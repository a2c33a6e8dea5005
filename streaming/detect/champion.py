"""Which isolation forest the workers of `detect` score by: the champion of the registry, in a file on this machine.

The query must not depend on the lake, nor its workers on two libraries more. So a thread of the driver takes each
champion over: fetched and verified it lies in a folder of its own, and a small note, replaced as a whole, names it. A
version that is damaged, unsigned or was trained on other detectors leaves the last good one in force.
"""

from pathlib import Path

import structlog
from deltalake.exceptions import DeltaError

from detection import standard
from detection.models import message_scores
from lakehouse.lake import Lake
from lakehouse.models import registry
from lakehouse.models.in_force import InForce
from lakehouse.models.manifest import Manifest
from lakehouse.models.store import ISOLATION_FOREST, ONNX_FILE, ModelStore
from sensorlake.errors import LakeError, ModelError
from sensorlake.settings import Settings
from streaming.detect.forest import Note
from streaming.following import Following

log = structlog.get_logger(__name__)

LOOK_SECONDS = 10.0


class ForestFile:
    """Follows the champion into the note `path`; versions are fetched to the folder `models`."""

    def __init__(self, lake: Lake, store: ModelStore, models: Path, path: Path) -> None:
        self.path = path
        self._lake = lake
        self._in_force = InForce(lake, store, models, require_todays_detectors)
        self._taken: int | None = None
        self._following = Following("isolation forest", self.refresh)

    @classmethod
    def of(cls, settings: Settings) -> "ForestFile":
        run = settings.data_dir.absolute() / "run"
        return cls(Lake.of(settings), ModelStore.of(settings), run / "models", run / "forest.json")

    def refresh(self) -> None:
        """Take the champion over, if it is another than the one taken last.

        Raises:
            LakeError: the registry of models cannot be read; the note is as it was.
        """
        try:
            held = self._in_force.champion(ISOLATION_FOREST)
            none = held is None and registry.champion(self._lake, ISOLATION_FOREST) is None
        except (DeltaError, OSError) as error:
            raise LakeError(f"the registry of models cannot be read from the lake: {error}") from None
        if held is None:
            if none or not _fits(self.path):
                self.path.unlink(missing_ok=True)
                self._taken = None
        elif held.version != self._taken:
            parameters = {name: held.manifest.parameters[name] for name in ("features", "threshold")}
            Note(held.version, str(held.folder / ONNX_FILE), parameters).write(self.path)
            self._taken = held.version
            log.info("model taken over", model=held.manifest.label)

    def follow(self) -> None:
        """Refresh at once and every 10 s from then on, in a thread of its own."""
        self._following.begin(LOOK_SECONDS, at_once=True)

    def close(self) -> None:
        """Follow no longer."""
        self._following.close()


def require_todays_detectors(manifest: Manifest) -> None:
    """
    Raises:
        ModelError: the forest was trained on other detectors than those that judge now.
    """
    message_scores.require_same(standard.ensemble().names, tuple(manifest.parameters.get("features", ())))


def _fits(note: Path) -> bool:
    """The note of the last run is of a forest that today's detectors can be put to."""
    try:
        message_scores.require_same(standard.ensemble().names, tuple(Note.read(note).parameters["features"]))
    except (ModelError, KeyError):
        return False
    return True
