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
from streaming.detect import outgoing, step
from streaming.detect.journal import Journal, Known

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


class Detect(StatefulProcessor):
    """Judges the readings of a shard by the detectors that sensorlake runs.

    Args:
        seeds: folder with the fleets that new shards begin from. forget_micros: a device that has sent nothing for so
        long before the newest reading may be forgotten.
    """

    def __init__(self, seeds: Path, forget_micros: int) -> None:
        self._seeds = seeds
        self._forget_micros = forget_micros

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
        verdicts = known.fleet.judge(taken.readings)
        began = verdicts.where(verdicts.began.astype(bool))
        silences = known.fleet.silent(taken.readings)
        alarms = outgoing.rows(known.fleet, taken, began, silences, datetime.now(UTC))
        _at_hand[place] = self._journal.append(known, step.dump(taken.readings))
        if len(alarms):
            yield alarms

    def close(self) -> None:
        """Nothing to close: Spark owns the state, and the worker keeps its fleets."""
