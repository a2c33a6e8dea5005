"""Another number of shards for `detect`: what is known of each device goes to the shard that it belongs to now.

Spark divides state by a hash of the shard and knows no way to divide it anew, so the query gets a new checkpoint:

1. The state of the last finished batch is read, and the offsets where that batch ended.
2. Fleets of the new shards and those offsets are written beside the checkpoint, the note of what it is for last.
3. The old checkpoint is renamed to `detect.before-<time>`.
4. The new one takes its name.

Cut off before 2 has ended, nothing has changed. After that the query does not start until this is run again, which goes
on with 3 or 4. Alarms of a batch that was being judged when the stream stopped are raised again, under the same ids.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from detection import fleet_bytes, standard
from detection.cohort import Cohort
from detection.fleet import Fleet
from sensorlake.errors import CheckpointError
from sensorlake.settings import Settings
from streaming import checkpoints, state_paths
from streaming.detect import journal, query, seeds
from streaming.detect.journal import Head


@dataclass(frozen=True)
class Resharded:
    """How many devices were carried over to how many shards, and where the old checkpoint is."""

    devices: int
    shards: int
    kept: Path


def reshard(spark: SparkSession, settings: Settings) -> Resharded:
    """Make the checkpoint of `detect` one of `settings.detect_shards` shards. The stream must not run.

    Raises:
        CheckpointError: there is no checkpoint, it has that many shards already, or it cannot be read.
    """
    root = settings.checkpoint_dir
    old, fresh = root / seeds.QUERY, root / seeds.UNFINISHED
    kept = root / f"{seeds.QUERY}.before-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    if not checkpoints.made_for(root, seeds.UNFINISHED):
        made_for = checkpoints.made_for(root, seeds.QUERY)
        if not made_for:
            raise CheckpointError(f"there is no checkpoint of {seeds.QUERY} in {root}: nothing is to be carried over")
        if made_for[seeds.SHARDS] == str(settings.detect_shards):
            raise CheckpointError(f"the checkpoint {old} has {settings.detect_shards} shards already")
        _write(spark, old, fresh, made_for | {seeds.SHARDS: str(settings.detect_shards)})
    after = int(checkpoints.made_for(root, seeds.UNFINISHED)[seeds.SHARDS])
    devices = int((seeds.folder(fresh) / "devices").read_text("utf-8"))
    if old.exists():
        old.rename(kept)
    fresh.rename(old)
    return Resharded(devices, after, kept)


def _write(spark: SparkSession, old: Path, fresh: Path, made_for: dict[str, str]) -> None:
    shutil.rmtree(fresh, ignore_errors=True)
    seeds.folder(fresh).mkdir(parents=True)
    count = int(made_for[seeds.SHARDS])
    if (ended := checkpoints.last_offsets(old, finished=True)) is not None:
        seeds.offsets_file(fresh).write_text(ended, "utf-8")
        fleets = split(stored_fleets(spark, old), count, lambda devices: query.places(spark, devices, count))
    else:
        fleets = []
    for number, fleet in zip(query.shards(spark, count), fleets, strict=False):
        (seeds.folder(fresh) / f"{number}.fleet").write_bytes(fleet_bytes.dump(fleet))
    (seeds.folder(fresh) / "devices").write_text(str(sum(len(fleet) for fleet in fleets)), "utf-8")
    checkpoints.folder(fresh.parent, fresh.name, made_for, begun=True)


def stored_fleets(spark: SparkSession, checkpoint: Path) -> list[Fleet]:
    """The fleet of each shard after the last finished batch."""
    state_paths.settle(checkpoint)
    # Spark begins what finds state stores with its queries, of which this session has none.
    spark.streams.active  # noqa: B018
    ensemble = standard.ensemble()
    heads = {
        row["shard"]: Head(*(bytes(part) if isinstance(part, bytearray) else part for part in row["value"]))
        for row in _state(spark, checkpoint, "head").select("key.shard", "value").collect()
    }
    snapshots, steps = (_entries(_state(spark, checkpoint, name)) for name in ("snapshot", "steps"))
    return [
        journal.restored(
            ensemble,
            [snapshots[shard, part] for part in range(head.parts)],
            [steps[shard, number] for number in range(head.snapshot_sequence + 1, head.sequence + 1)],
        )
        for shard, head in sorted(heads.items())
    ]


def split(fleets: Sequence[Fleet], count: int, places: Callable[[list[str]], list[int]]) -> list[Fleet]:
    """The same devices in `count` fleets; `places`: number of the fleet that each device goes to."""
    parts: list[list[Cohort]] = [[] for _ in range(count)]
    for cohort in (cohort for fleet in fleets for cohort in fleet.cohorts.values()):
        goal = np.array(places(cohort.devices))
        for number in range(count):
            rows = np.flatnonzero(goal == number)
            if not len(rows):
                continue
            names = [cohort.devices[row] for row in rows.tolist()]
            columns = [cohort.columns[row] for row in rows.tolist()]
            size = len(columns[0])
            state = {name: array[rows] for name, array in cohort.state.items()}
            same = [one for one in parts[number] if len(one.columns[0]) == size]
            if same:
                same[0].append(names, columns, state)
            else:
                parts[number].append(Cohort(state, names, columns))
    ensemble = fleets[0].ensemble if fleets else standard.ensemble()
    return [Fleet(ensemble, cohorts) for cohorts in parts]


def _state(spark: SparkSession, checkpoint: Path, name: str) -> DataFrame:
    return spark.read.format("statestore").option("stateVarName", name).load(str(checkpoint))


def _entries(rows: DataFrame) -> dict[tuple[int, int], bytes]:
    found = rows.select("key.shard", F.col("user_map_key.*"), F.col("user_map_value.content")).collect()
    return {(row[0], row[1]): bytes(row[2]) for row in found}
