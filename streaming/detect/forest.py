"""The isolation forest within a worker of `detect`: which messages it rings for.

    <run folder>/forest.json    which version is in force, and where its file lies (`Note`); put there by
                                streaming.detect.champion

A worker looks at that file at each batch, which takes 5 us, and loads the model when the file is another. No model
library is imported while there is none. Loading goes on beside the batches, as it takes a second or two.
"""

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import structlog

from detection.detectors.detector import Floats
from detection.fleet import Verdicts
from detection.messages import Readings
from detection.models import message_scores
from detection.models.isolation_forest import Scorer
from sensorlake.errors import ModelError

log = structlog.get_logger(__name__)

HOLD_MICROS = 60_000_000
"""For so long a device that the forest rang for is not put to it again."""

Rang = dict[str, int]
"""When the forest rang for a device last, by its name: event time, microseconds since 1970."""


@dataclass(frozen=True)
class Note:
    """The version in force: its file and the parameters of its manifest."""

    version: int
    file: str
    parameters: Mapping[str, Any]

    def write(self, path: Path) -> None:
        """Put it in place of the one before, as a whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(asdict(self)))
        fresh.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Note":
        """
        Raises:
            ModelError: there is none, or it is damaged.
        """
        try:
            return cls(**orjson.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise ModelError(f"the note of the isolation forest in force cannot be read: {error!r}") from None


@dataclass(frozen=True)
class Ringing:
    """Messages that the forest rings for, how high it scores each, and its threshold."""

    verdicts: Verdicts
    score: Floats
    threshold: float
    version: int


@dataclass(frozen=True)
class Loaded:
    version: int
    scorer: Scorer

    def ringing(self, names: tuple[str, ...], readings: Readings, verdicts: Verdicts, rang: Rang) -> Ringing | None:
        """names: of the detectors that gave the verdicts. rang: is brought up to date. None: nothing is telling."""
        telling = np.flatnonzero(message_scores.telling(verdicts.score))
        if not len(telling):
            return None
        rows = np.array(
            [row for row in telling.tolist() if not _rang(rang, *_of(readings, verdicts, row))], dtype=np.int64
        )
        matrix = message_scores.columns(message_scores.of(verdicts.by_detector[rows]), names, self.scorer.features)
        score = self.scorer.score(matrix) if len(rows) else np.zeros(0)
        chosen = []
        for place in np.flatnonzero(score >= self.scorer.threshold).tolist():
            device, time = _of(readings, verdicts, int(rows[place]))
            if not _rang(rang, device, time):
                rang[device] = time
                chosen.append(place)
        if chosen:
            newest = max(rang.values())
            for device in [device for device, time in rang.items() if newest - time >= HOLD_MICROS]:
                del rang[device]
        return Ringing(verdicts.where(rows[chosen]), score[chosen], self.scorer.threshold, self.version)


class Forest:
    """The forest that `note` names, for detectors `names`; the last good one where that cannot be loaded."""

    def __init__(self, note: Path, names: tuple[str, ...]) -> None:
        self._note, self._names = note, names
        self._seen: tuple[int, int] | None = None
        self._loaded: Loaded | None = None

    def current(self) -> Loaded | None:
        """None where there is none, or while the first one is loaded."""
        seen = _seen(self._note)
        if seen != self._seen:
            self._seen = seen
            if seen is None:
                self._loaded = None
            else:
                threading.Thread(target=self._load, args=(seen,), name="forest", daemon=True).start()
        return self._loaded

    def _load(self, seen: tuple[int, int]) -> None:
        try:
            note = Note.read(self._note)
            scorer = Scorer(Path(note.file), note.parameters)
            message_scores.require_same(self._names, scorer.features)
        except ModelError as error:
            log.error("isolation forest refused, the last good one stays in force", why=str(error))
            return
        if seen == self._seen:
            self._loaded = Loaded(note.version, scorer)


def _of(readings: Readings, verdicts: Verdicts, row: int) -> tuple[str, int]:
    """Device and time of a message."""
    return readings.devices[int(verdicts.device[row])], int(verdicts.time[row])


def _rang(rang: Rang, device: str, time: int) -> bool:
    last = rang.get(device)
    return last is not None and abs(time - last) < HOLD_MICROS


def _seen(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
