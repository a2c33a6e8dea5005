"""The models in force, for a process that scores for a long time: looks at the registry, fetches, verifies, and keeps
the last good version where the new one is refused."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from lakehouse.lake import Lake
from lakehouse.models import registry
from lakehouse.models.manifest import Manifest
from lakehouse.models.registry import Standing
from lakehouse.models.store import ModelStore
from sensorlake.errors import ModelError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Held:
    """A verified version in a local folder."""

    manifest: Manifest
    folder: Path

    @property
    def version(self) -> int:
        return self.manifest.version


def _any(_: Manifest) -> None:
    """Every version will do."""


class InForce:
    """`folder`: where verified versions are kept. require: raises ModelError for a version that the process that asks
    cannot score with, which is refused like a damaged one."""

    def __init__(self, lake: Lake, store: ModelStore, folder: Path, require: Callable[[Manifest], None] = _any) -> None:
        self._lake, self._store, self._folder, self._require = lake, store, folder, require
        self._held: dict[tuple[str, str], Held] = {}
        self._refused: set[str] = set()

    def champion(self, name: str) -> Held | None:
        """The champion of now; the one held before where that is refused, or at a start the last champion before it
        that is not. None where there is none."""
        known = registry.standings(self._lake, name)
        candidates = [each for each in known if each.role == registry.CHAMPION]
        return self._look((name, registry.CHAMPION), candidates, registry.earlier_champions(self._lake, name))

    def challenger(self, name: str) -> Held | None:
        """The challenger of now, which runs in shadow; None where there is none or it is refused."""
        candidates = [each for each in registry.standings(self._lake, name) if each.role == registry.CHALLENGER]
        found = self._look((name, registry.CHALLENGER), candidates, [])
        # Another version in its place would be taken for it.
        return found if found and candidates and found.version == candidates[0].version else None

    def _look(self, place: tuple[str, str], wanted: list[Standing], instead: list[Standing]) -> Held | None:
        held = self._held.get(place)
        if not wanted:
            self._held.pop(place, None)
            return None
        if held and held.version == wanted[0].version:
            return held
        found = self._first_good(wanted) or held or self._first_good(instead)
        if found:
            self._held[place] = found
        return found

    def _first_good(self, standings: list[Standing]) -> Held | None:
        for standing in standings:
            try:
                place = self._store.fetch(standing.name, standing.version, self._folder)
                manifest = self._store.manifest(standing.name, standing.version)
                self._require(manifest)
                return Held(manifest, place)
            except ModelError as error:
                if standing.label not in self._refused:  # it is tried again each time, but said once
                    _log.error("model refused, the last good one stays in force", model=standing.label, why=str(error))
                self._refused.add(standing.label)
        return None
