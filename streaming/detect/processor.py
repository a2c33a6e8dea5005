"""What Spark calls for each shard of devices and each batch: readings in, alarms that begin out."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql.streaming import StatefulProcessor, StatefulProcessorHandle
from pyspark.sql.types import BinaryType, IntegerType, LongType, StructField, StructType

from detection import standard
from detection.ensemble import Ensemble
from detection.fleet import Verdicts
from streaming.detect import outgoing, step
from streaming.detect.forest import Forest, Rang, Ringing
from streaming.detect.journal import Journal, Known
from streaming.detect.step import Step

# Types, not their names: each name would be sent to Spark to be read, at every batch.
_HEAD = StructType(
    [
        StructField("sequence", LongType()),
        StructField("token", BinaryType()),
        StructField("snapshot_sequence", LongType()),
        StructField("snapshot_bytes", LongType()),
        StructField("steps_bytes", LongType()),
    ]
)
_PART = StructType([StructField("part", IntegerType())])
_SEQUENCE = StructType([StructField("sequence", LongType())])
_CONTENT = StructType([StructField("content", BinaryType())])

_at_hand: dict[tuple[str, int], Known] = {}
"""Fleets of this Python worker by seed folder, which tells queries apart, and shard: Spark hands the processor over
anew at each batch, but the process stays."""
_ensemble: list[Ensemble] = []
_forests: dict[Path, Forest] = {}
_rang: dict[tuple[str, int], tuple[bytes, Rang]] = {}
"""When the forest rang, as of the step with this token: what a batch that failed rang for does not count."""


class Detect(StatefulProcessor):
    """Judges the readings of a shard by the detectors that sensorlake runs.

    Args:
        seeds: folder with the fleets that new shards begin from. forget_micros: a device that has sent nothing for so
        long before the newest reading may be forgotten. forest: the note of the isolation forest in force, which may
        come and go (`streaming.detect.forest`).
    """

    def __init__(self, seeds: Path, forget_micros: int, forest: Path | None = None) -> None:
        self._seeds = seeds
        self._forget_micros = forget_micros
        self._forest = forest

    def init(self, handle: StatefulProcessorHandle) -> None:
        if not _ensemble:
            _ensemble.append(standard.ensemble())
        self._journal = Journal(
            handle.getValueState("head", _HEAD),
            handle.getMapState("snapshot", _PART, _CONTENT),
            handle.getMapState("steps", _SEQUENCE, _CONTENT),
            ensemble=_ensemble[0],
            forget_micros=self._forget_micros,
        )

    def handleInputRows(self, key: Any, rows: Iterator[pd.DataFrame], timerValues: Any) -> Iterator[pd.DataFrame]:  # noqa: N802, N803, ARG002
        shard = int(key[0])
        place = (str(self._seeds), shard)
        taken = step.of(list(rows))
        known = self._journal.open(_at_hand.pop(place, None), self._seeds / f"{shard}.fleet")
        if not len(known.fleet) and not len(taken.readings.time):
            _at_hand[place] = known
            return
        verdicts = known.fleet.judge(taken.readings)
        began = verdicts.where(verdicts.began.astype(bool))
        silences = known.fleet.silent(taken.readings, taken.clock)
        rang = _rang_before(place, known)
        by_forest = self._by_forest(known.fleet.ensemble.names, taken, verdicts, rang)
        alarms = outgoing.rows(known.fleet, taken, began, silences, datetime.now(UTC), by_forest=by_forest)
        _at_hand[place] = self._journal.append(known, step.dump(taken))
        _rang[place] = _at_hand[place].token, rang
        if len(alarms):
            yield alarms

    def _by_forest(self, names: tuple[str, ...], taken: Step, verdicts: Verdicts, rang: Rang) -> Ringing | None:
        if self._forest is None:
            return None
        if self._forest not in _forests:
            _forests[self._forest] = Forest(self._forest, names)
        loaded = _forests[self._forest].current()
        return loaded.ringing(names, taken.readings, verdicts, rang) if loaded else None

    def close(self) -> None:
        """Nothing to close: Spark owns the state, and the worker keeps its fleets."""


def _rang_before(place: tuple[str, int], known: Known) -> Rang:
    token, rang = _rang.pop(place, (b"", {}))
    return rang if token == known.token else {}
