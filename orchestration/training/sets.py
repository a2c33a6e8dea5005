"""Training sets: versions of labelled readings in the table `training_sets`, from the lake or of a simulated fleet.

    time of a set     0 .. 50 %                                    50 .. 100 %
    four in five      train: normal readings                       test: later readings of all devices,
    devices                                                        some of them with faults
    every fifth       validation: normal readings, for thresholds

Of the lake's readings those that were found abnormal are left out of training and validation, unless an operator said
that the alarm was false; what an operator confirmed is abnormal in the test. Faults are injected into half of the
series of the test, as nobody labels enough real ones.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, write_deltalake

from detection.messages import Readings
from detection.models import faults
from detection.models.examples import NORMAL, TEST, TRAIN, VALIDATION, LabelledReadings, Names, coded
from edge import labelled
from expectations.data import Data
from lakehouse import creation
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES, READINGS, TRAINING_SETS
from orchestration import evidence
from orchestration.training import history
from sensorlake.errors import ModelError

LAKE, GENERATED, AUTO = "lake", "generated", "auto"
REPORTED = "reported"
_SCHEMA = arrow_schema(TRAINING_SETS.record)
_SECOND = 1_000_000
_EVERY_FIFTH = 5
_KEPT_VERSIONS = 5


@dataclass(frozen=True)
class Wanted:
    """source: lake, generated, or auto, which is the lake where it holds enough. devices, minutes: of the set.
    fault_share: of the series in the test part. least_readings: a device of the lake that sent fewer in these minutes
    is left out; with fewer than `least_devices` left, the lake holds too little."""

    source: str = AUTO
    devices: int = 200
    minutes: float = 90
    fault_share: float = 0.5
    interval_seconds: float = 1.0
    least_devices: int = 10
    least_readings: int = 600
    seed: int = 0


@dataclass(frozen=True)
class TrainingSet:
    """One version of the table."""

    version: int
    origin: str
    data: LabelledReadings

    def described(self) -> dict[str, Any]:
        """As the manifest of a model says it."""
        parts = self.data.part
        return {
            "version": self.version,
            "origin": self.origin,
            "readings": len(parts),
            "abnormal": int(self.data.abnormal.sum()),
            "devices": len(self.data.readings.devices),
            **{part: int((parts == part).sum()) for part in (TRAIN, VALIDATION, TEST)},
        }


def make(lake: Lake, wanted: Wanted, verdicts: Mapping[str, bool], now: datetime) -> dict[str, Any]:
    """Write the next version; what the asset's page shows.

    verdicts: what operators said of anomalies, by id.

    Raises:
        ModelError: the lake was asked for, and holds too little.
    """
    found = None if wanted.source == GENERATED else of_lake(lake, wanted, verdicts, now)
    if found is None and wanted.source == LAKE:
        raise ModelError(
            f"the lake holds fewer than {wanted.least_devices} devices with {wanted.least_readings} readings in the "
            f"last {wanted.minutes:g} minutes: let the stream run longer, or take source `generated`"
        )
    origin = GENERATED if found is None else LAKE
    rows = generated(wanted, now) if found is None else found
    table = creation.ensure(lake, TRAINING_SETS)
    number = max(_versions(table), default=0) + 1
    rows = rows.append_column("version", pa.repeat(pa.scalar(number, pa.int64()), rows.num_rows))
    rows = rows.append_column("origin", pa.repeat(pa.scalar(origin), rows.num_rows)).select(_SCHEMA.names).cast(_SCHEMA)
    note = {"version": number, "origin": origin, **asdict(wanted)}
    write_deltalake(
        table,
        rows,
        mode="append",
        commit_properties=CommitProperties(custom_metadata={"userMetadata": json.dumps(note)}),
    )
    if number > _KEPT_VERSIONS:
        lake.open(TRAINING_SETS).delete(f"version <= {number - _KEPT_VERSIONS}")
    kinds = {row["values"]: row["counts"] for row in pc.value_counts(rows["kind"]).to_pylist()}
    parts = {row["values"]: row["counts"] for row in pc.value_counts(rows["part"]).to_pylist()}
    return {
        "dagster/row_count": rows.num_rows,
        "version": number,
        "origin": origin,
        "devices": pc.count_distinct(rows["device_id"]).as_py(),
        "abnormal": sum(count for kind, count in kinds.items() if kind != NORMAL),
        **{f"readings_{name}": count for name, count in sorted((kinds | parts).items())},
    }


def newest(lake: Lake) -> TrainingSet:
    """The newest version.

    Raises:
        ModelError: there is none yet.
    """
    table = lake.find(TRAINING_SETS)
    if table is None or not (known := _versions(table)):
        raise ModelError("there is no training set yet: a run of the asset training_set in Dagster makes it")
    version = max(known)
    rows = table.to_pyarrow_dataset().to_table(filter=pc.field("version") == version)
    return TrainingSet(version, rows["origin"][0].as_py(), of_rows(rows))


def evidence_of_newest(lake: Lake, now: datetime) -> Data | None:
    """The newest version for its checks; None where there is none yet."""
    table = lake.find(TRAINING_SETS)
    if table is None or not (known := _versions(table)):
        return None
    return evidence.gather(lake, TRAINING_SETS, now=now, chosen=pc.field("version") == max(known))


def of_rows(rows: pa.Table) -> LabelledReadings:
    """Rows of the table as arrays."""
    devices, device = coded(rows["device_id"].to_pylist())
    metrics, metric = coded(rows["metric"].to_pylist())
    return LabelledReadings(
        Readings(devices, metrics, device, metric, _micros(rows["event_time"]), rows["value"].to_numpy()),
        rows["abnormal"].to_numpy().astype(np.bool_),
        np.asarray(rows["kind"].to_pylist(), dtype=np.str_),
        np.asarray(rows["part"].to_pylist(), dtype=np.str_),
    )


def generated(wanted: Wanted, now: datetime) -> pa.Table:
    """Readings of a simulated fleet, the last of them now."""
    seconds = wanted.minutes * 60
    made = labelled.readings(
        wanted.devices,
        seconds,
        anomaly_rate=wanted.fault_share,
        seed=wanted.seed,
        start=int((now - timedelta(seconds=seconds)).timestamp() * _SECOND),
        interval_seconds=wanted.interval_seconds,
    )
    part = _parts(made.series, made.time)
    return _rows(
        pa.array(made.devices).take(pa.array(made.series)),
        pa.array(made.metrics).take(pa.array(made.series)),
        time=made.time,
        value=made.value,
        kind=made.kind_names,
        part=part,
    )


def of_lake(lake: Lake, wanted: Wanted, verdicts: Mapping[str, bool], now: datetime) -> pa.Table | None:
    """Readings of the lake's devices, with faults in the test part; None where it holds too little."""
    start = now - timedelta(minutes=wanted.minutes)
    if (readings := lake.find(READINGS)) is None:
        return None
    rows = history.readings(readings, start, now, devices=wanted.devices, least=wanted.least_readings, seed=wanted.seed)
    devices, device = coded(rows["device_id"].to_pylist())
    if len(devices) < wanted.least_devices:
        return None
    _, metric = coded(rows["metric"].to_pylist())
    time, value = _micros(rows["event_time"]), rows["value"].to_numpy()
    part = _parts(device, time)
    anomalies = lake.find(ANOMALIES)
    said = history.said_of(rows, anomalies, verdicts, start, now) if anomalies else np.full(len(value), history.NOTHING)
    _, series = np.unique(np.stack([device, metric]), axis=1, return_inverse=True)
    open_to = (part == TEST) & (said != history.CONFIRMED)
    value, kind = faults.inject(series.reshape(-1), time, value, open_to, share=wanted.fault_share, seed=wanted.seed)
    kind = np.where((said == history.CONFIRMED) & (kind == NORMAL), REPORTED, kind)
    # Of an anomaly that nobody judged it is not known what it is, and one that was confirmed is nothing to learn from.
    kept = (said != history.UNJUDGED) & ((part == TEST) | (kind == NORMAL)) & np.isfinite(value)
    made = _rows(rows["device_id"], rows["metric"], time=time, value=value, kind=kind, part=part)
    return made.filter(pa.array(kept))


def _parts(device: np.ndarray, time: np.ndarray) -> Names:
    """The part of each reading, by the time of the whole set and the number of its device."""
    middle = (int(time.min()) + int(time.max())) // 2
    quiet = np.where(device % _EVERY_FIFTH == _EVERY_FIFTH - 1, VALIDATION, TRAIN)
    return np.where(time > middle, TEST, quiet)


def _rows(
    device: pa.Array, metric: pa.Array, *, time: np.ndarray, value: np.ndarray, kind: Names, part: Names
) -> pa.Table:
    return pa.table(
        {
            "part": part.tolist(),
            "device_id": device,
            "metric": metric,
            "event_time": pa.array(time).cast(pa.timestamp("us", "UTC")),
            "value": value,
            "abnormal": kind != NORMAL,
            "kind": kind.tolist(),
        }
    )


def _micros(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.int64()).to_numpy()


def _versions(table: DeltaTable) -> list[int]:
    actions = pa.table(table.get_add_actions(flatten=True))
    return actions["partition.version"].to_pylist() if actions.num_rows else []
