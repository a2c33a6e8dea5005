"""The autoencoder over the newest windows of all series, batch by batch.

The windows that a sequence needs are read from the table features when a champion is first seen, so nothing of them has
to be kept through a restart. Which series are in alarm cannot be read from anywhere, and lies in a small file.

    look for the champion; without one nothing is read, and no model library is imported
    take the batch's windows
    score series whose sequence has grown, those that wait longest first, until the batch's time is up
    -> alarms that begin; `keep` once they are out

Scoring is bounded in time, in a thread of its own at the lowest priority. Series whose turn does not come are scored
in a later batch on the windows that are newest then; nothing queues up.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from detection.alarms import Hysteresis
from detection.groups import Floats, Integers
from detection.models.recent import Recent, Series
from detection.models.sequences import KIND, Sequences, normalised
from lakehouse.lake import Lake
from lakehouse.models.in_force import Held, InForce
from lakehouse.models.store import LSTM_AUTOENCODER
from sensorlake.errors import ModelError, ModelServerError
from streaming import priorities
from streaming.autoencoder import history
from streaming.autoencoder.outgoing import Alarm

log = structlog.get_logger(__name__)

_TOGETHER = 64


class Scorer(Protocol):
    """A published autoencoder: in this process, or on a server."""

    length: int
    threshold: float

    def score(self, sequences: Sequences) -> Floats: ...


class Autoencoder:
    """What the query `autoencoder` knows.

    Args:
        scorer: makes a scorer of a verified version; raises ModelServerError where a server does not hold it yet.
        alarms: the file of the series in alarm. alarm_at: times the model's threshold, where alarms begin. seconds:
            that a batch may score for.
    """

    def __init__(
        self,
        lake: Lake,
        in_force: InForce,
        scorer: Callable[[Held], Scorer],
        *,
        alarms: Path,
        alarm_at: float,
        seconds: float,
    ) -> None:
        self._lake, self._in_force, self._make, self._alarms = lake, in_force, scorer, alarms
        self._alarm_at, self._seconds = alarm_at, seconds
        self._scorer: Scorer | None = None
        self._version = 0
        self._recent: Recent | None = None
        self._refused = 0
        self._awaited = 0
        self._behind = False

    def judge(self, given: Callable[[], pa.Table]) -> list[Alarm]:
        """The alarms that begin. given: reads the batch's windows, with the columns of `history`."""
        scorer = self._champion()
        if scorer is None:
            self._recent = None
            return []
        windows = given()
        if windows.num_rows == 0:
            return []
        if self._recent is None or self._recent.length != scorer.length:
            self._recent = self._rebuilt(scorer.length, windows)
        history.take(self._recent, windows)
        self._recent.forget()
        return _worker().submit(self._score, scorer, self._recent).result()

    def keep(self) -> None:
        """Write down which series are in alarm: to be called when the alarms are out."""
        if self._recent is None:
            return
        below = self._recent.state["below"]
        rows = np.flatnonzero(self._recent.state["alarm"]).tolist()
        content = orjson.dumps([[*self._recent.names[row], int(below[row])] for row in rows])
        if not self._alarms.is_file() or self._alarms.read_bytes() != content:
            fresh = self._alarms.with_suffix(".new")
            fresh.write_bytes(content)
            fresh.replace(self._alarms)

    def _champion(self) -> Scorer | None:
        """The scorer of the champion of now; the one before where it cannot be used."""
        held = self._in_force.champion(LSTM_AUTOENCODER)
        if held is None:
            self._scorer, self._version = None, 0
        elif held.version not in (self._version, self._refused):
            try:
                if held.manifest.parameters.get("windows") != KIND:
                    raise ModelError(f"model {held.manifest.label} was trained on other windows: train it anew")
                self._scorer, self._version = self._make(held), held.version
                log.info("model taken over", model=held.manifest.label)
            except ModelServerError as error:
                if self._scorer is None:
                    raise
                # A server looks for new versions by itself, in its own time.
                if self._awaited != held.version:
                    log.warning(
                        "model awaited, the one before stays in force", model=held.manifest.label, why=str(error)
                    )
                self._awaited = held.version
            except ModelError as error:
                self._refused = held.version
                log.error("model refused, the last good one stays in force", model=held.manifest.label, why=str(error))
        return self._scorer

    def _rebuilt(self, length: int, windows: pa.Table) -> Recent:
        recent = Recent(length, Hysteresis())
        history.take(recent, history.load(self._lake, length, pc.max(windows["window_end"]).as_py()))
        in_alarm = _stored(self._alarms)
        known = [name for name in recent.names if name in in_alarm]
        rows = recent.rows(known)
        recent.state["alarm"][rows] = True
        recent.state["below"][rows] = [in_alarm[name] for name in known]
        return recent

    def _score(self, scorer: Scorer, recent: Recent) -> list[Alarm]:
        due, found, done = recent.due(), [], 0
        until = time.monotonic() + self._seconds
        while done < len(due) and (done == 0 or time.monotonic() < until):
            rows = due[done : done + _TOGETHER]
            error = scorer.score(normalised(recent.sequences(rows)))
            began = recent.score(rows, error / (scorer.threshold * self._alarm_at))
            found += [self._alarm(recent, scorer, row, error[place]) for place, row in _pairs(rows, began)]
            done += len(rows)
        self._tell(len(due), done)
        return found

    def _alarm(self, recent: Recent, scorer: Scorer, row: int, error: float) -> Alarm:
        newest = recent.sequences(np.array([row]))[0, -1]
        return Alarm(
            *recent.names[row],
            end=int(recent.state["last"][row]),
            figures=tuple(newest.tolist()),
            error=float(error),
            limit=scorer.threshold,
            alarm_at=self._alarm_at,
            model_version=self._version,
        )

    def _tell(self, due: int, scored: int) -> None:
        if (behind := scored < due) != self._behind:
            self._behind = behind
            if behind:
                log.warning(
                    "the autoencoder does not score all series in each batch: each has its turn, on its newest windows",
                    due=due,
                    scored=scored,
                    seconds=self._seconds,
                )
            else:
                log.info("the autoencoder scores all series again", due=due)


def _pairs(rows: Integers, chosen: np.ndarray) -> list[tuple[int, int]]:
    """(place, row) of the chosen rows."""
    return [(place, int(rows[place])) for place in np.flatnonzero(chosen).tolist()]


def _stored(file: Path) -> dict[Series, int]:
    """Series in alarm, and for how many sequences each has been below."""
    try:
        return {(device, metric): int(below) for device, metric, below in orjson.loads(file.read_bytes())}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError):
        log.warning("the file of series in alarm is damaged: alarms that last are raised again", file=str(file))
        return {}


@cache
def _worker() -> ThreadPoolExecutor:
    """One thread for the whole process: scores of a query that started again wait for those of the one before."""
    return ThreadPoolExecutor(1, "autoencoder", initializer=priorities.lower_models)
