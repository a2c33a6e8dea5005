"""How far each query has come, against how far its source reaches: every second, from outside.

What a query says of its own lag is as old as its last batch, and leaves out the batch that it works on. So the lag is
counted from what is done: the offsets of the last batch that the checkpoint says is committed, or the alerts that came
out. The alerts query commits once a minute while its rows are out within milliseconds.
"""

import json
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from benchmarks.lake_files import LakeFiles
from benchmarks.observers.watch import Watch
from contracts.topics import Topics
from lakehouse.tables import FEATURES, READINGS, Table
from sensorlake.settings import Settings

_SECONDS = 10.0
_RAW = ("detect", "lake")
_SINKS = ("postgres", "influxdb", "anomalies")
_TABLES: dict[str, tuple[Table, ...]] = {"metrics": (READINGS, FEATURES), "autoencoder": (FEATURES,)}


@dataclass(frozen=True)
class Place:
    """`at` (seconds of time.monotonic): `done` of the `end` records, alerts or table versions that there were."""

    at: float
    done: int
    end: int

    @property
    def lag(self) -> int:
        return max(0, self.end - self.done)


Frontier = Callable[[], tuple[int, int]]
"""(done, end)"""


class ProgressWatch(Watch):
    """`places`: every look by query."""

    name = "progress"
    every = 1.0

    def __init__(self, frontiers: Mapping[str, Frontier]) -> None:
        super().__init__()
        self.places: dict[str, list[Place]] = {name: [] for name in frontiers}
        self._frontiers = frontiers

    def look(self) -> None:
        for name, frontier in self._frontiers.items():
            self.places[name].append(Place(time.monotonic(), *frontier()))

    def lags(self) -> dict[str, int]:
        """The latest by query."""
        return {name: places[-1].lag for name, places in self.places.items() if places}


class TopicEnds:
    """The ends of topics, summed over their partitions."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": settings.kafka_bootstrap_servers, "group.id": "sensorlake-bench-progress"}
        )
        self._partitions: dict[str, list[TopicPartition]] = {}

    def of(self, topic: str) -> int:
        if topic not in self._partitions:
            found = self._consumer.list_topics(topic, timeout=_SECONDS).topics[topic].partitions
            self._partitions[topic] = [TopicPartition(topic, number) for number in found]
        ends = [self._consumer.get_watermark_offsets(each, timeout=_SECONDS)[1] for each in self._partitions[topic]]
        return sum(ends)

    def close(self) -> None:
        self._consumer.close()


def frontiers(
    settings: Settings, queries: Collection[str], ends: TopicEnds, alerts: Callable[[], tuple[int, int]]
) -> dict[str, Frontier]:
    """One for each query.

    Args:
        alerts: how many alerts came out and how many were due by now.
    """
    topics = Topics(settings.topic_prefix)
    files = LakeFiles(settings)
    found: dict[str, Frontier] = {}
    for query in queries:
        checkpoint = settings.checkpoint_dir / query
        if query == "alerts":
            found[query] = alerts
        elif query in _TABLES:
            found[query] = _of_tables(files, _TABLES[query], checkpoint)
        else:
            found[query] = _of_topic(topics.raw if query in _RAW else topics.anomaly, ends, checkpoint)
    return found


def _of_topic(topic: str, ends: TopicEnds, checkpoint: Path) -> Frontier:
    def look() -> tuple[int, int]:
        # Before the end: the other way round a commit in between would make the lag negative.
        sources = committed(checkpoint)
        done = sum(sum(source.get(topic, {}).values()) for source in sources or [])
        return done, ends.of(topic)

    return look


def _of_tables(files: LakeFiles, tables: Sequence[Table], checkpoint: Path) -> Frontier:
    """Versions with new rows. A compaction is a version too, but none that the query would ever take."""
    looked, ends = [0] * len(tables), [0] * len(tables)

    def look() -> tuple[int, int]:
        # On a stack of the benchmark's own the tables begin empty: before its first batch a query has read nothing.
        sources = committed(checkpoint) or [{} for _ in tables]
        for place, table in enumerate(tables):
            while (commit := files.commit(table, looked[place])) is not None:
                looked[place] += 1
                ends[place] = looked[place] if commit.files else ends[place]
        done = [min(_versions(source), end) for source, end in zip(sources, ends, strict=True)]
        return sum(done), sum(ends)

    return look


def _versions(source: Mapping[str, Any]) -> int:
    """How many versions of a table a source has read: Spark notes the one that it reads next, or the one that it is
    in the middle of."""
    if not source:
        return 0
    version, index = int(source["reservoirVersion"]), int(source["index"])
    return version if index < 0 else version + 1


def committed(checkpoint: Path) -> list[dict[str, Any]] | None:
    """The offsets of each source after the last committed batch, empty for one that had nothing; None before the first.

    Spark removes old files at any time: one that is gone when it is to be read is not the last.
    """
    batches = [int(path.name) for path in _listed(checkpoint / "commits") if re.fullmatch(r"\d+", path.name)]
    if not batches:
        return None
    try:
        lines = (checkpoint / "offsets" / str(max(batches))).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None
    return [json.loads(line) if line.startswith("{") else {} for line in lines[2:]]


def _listed(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
