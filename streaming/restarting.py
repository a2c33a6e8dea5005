"""A new checkpoint in place of one that is damaged, lost or left behind by Kafka; the stream must not run.

Where the query goes on, and what nobody can read any more, is said. The old checkpoint is kept beside the new one.

    lake                     after the last message that its tables hold, as their commits or, of an older version,
                             their rows say
    alerts, detect, and      at the oldest message that Kafka has: all they write has the ids that it had before, and
    the anomaly sinks        every sink knows those. Alerts come again on the topic; detect learns anew
    metrics, autoencoder     at the first commit of the lake's tables, under the same ids
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from contracts.topics import Topics
from lakehouse.lake import Lake
from lakehouse.tables import DEAD_LETTERS, READINGS
from sensorlake.errors import CheckpointError
from sensorlake.settings import Settings
from streaming import checkpoints, position, topics

_OF_RAW, _OF_ANOMALIES = ("alerts", "detect", "lake"), ("postgres", "influxdb", "anomalies")
_COMMITS = 1000
Bounds = Mapping[int, tuple[int, int]]


@dataclass(frozen=True)
class Begin:
    """Where the new checkpoint begins and what is lost; offsets by partition.

    `topic`: None for a query that reads the lake. `offsets`: None for the oldest message that is there. `lost`: from
    where to before which offset Kafka has deleted messages that the query had not read. `remade`: the topic was
    deleted and made anew; how much of the old one had not been read nobody can say.
    """

    topic: str | None
    offsets: dict[int, int] | None
    lost: dict[int, tuple[int, int]]
    remade: bool

    @property
    def lost_messages(self) -> int:
        return sum(end - first for first, end in self.lost.values())


@dataclass(frozen=True)
class Restarted:
    begin: Begin
    kept: Path | None


def restart(settings: Settings, query: str) -> Restarted:
    """Put the checkpoint of `query` aside and leave a new one that begins where nothing is lost or doubled.

    Raises:
        StreamError: Kafka does not answer.
    """
    root = settings.checkpoint_dir
    path = root / query
    begin = _begin(settings, query)
    kept = None
    if path.is_dir():
        kept = root / f"{query}.before-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        path.rename(kept)
    if begin.topic is not None and begin.offsets is not None:
        path.mkdir()
        by_partition = {str(partition): offset for partition, offset in begin.offsets.items()}
        (path / checkpoints.STARTING).write_text(json.dumps({begin.topic: by_partition}), "utf-8")
    return Restarted(begin, kept)


def require_messages(settings: Settings, query: str, topic: str) -> None:
    """
    Raises:
        CheckpointError: Kafka has deleted messages of the topic that the query had not read.
    """
    _, wanted = noted(settings.checkpoint_dir, query, topic)
    if wanted and (gap := _gap(wanted, topics.bounds(settings, topic))):
        spans = ", ".join(f"{number}: {first} to {end - 1}" for number, (first, end) in gap.items())
        raise CheckpointError(
            f"query {query}: Kafka's retention has taken {sum(end - first for first, end in gap.values())} messages of "
            f"{topic} that were not read yet (partition: offsets {spans}). They are lost. With the stream stopped, "
            f"`sensorlake checkpoints restart {query}` goes on with the oldest that is there."
        )


def _begin(settings: Settings, query: str) -> Begin:
    names = Topics(settings.topic_prefix)
    if query not in (*_OF_RAW, *_OF_ANOMALIES):
        return Begin(None, None, {}, remade=False)
    topic = names.raw if query in _OF_RAW else names.anomaly
    bounds, topic_id = topics.bounds(settings, topic), topics.id_of(settings, topic)
    if query == "lake":
        return of_lake(topic, bounds, topic_id, _stored(settings, bounds))
    return of_others(topic, bounds, topic_id, *noted(settings.checkpoint_dir, query, topic))


def of_lake(topic: str, bounds: Bounds, topic_id: str, stored: position.Position | None) -> Begin:
    """After the last stored message, or at the oldest that Kafka still has."""
    if stored is None:
        return Begin(topic, None, {}, remade=False)
    oldest = {partition: first for partition, (first, _) in bounds.items()}
    beyond = any(stored.offsets.get(partition, 0) > end for partition, (_, end) in bounds.items())
    if beyond or stored.topic_id not in ("", topic_id):
        return Begin(topic, oldest, {}, remade=True)
    wanted = {partition: stored.offsets.get(partition, first) for partition, first in oldest.items()}
    offsets = {partition: max(wanted[partition], first) for partition, first in oldest.items()}
    return Begin(topic, offsets, _gap(wanted, bounds), remade=False)


def of_others(topic: str, bounds: Bounds, topic_id: str, noted_id: str | None, wanted: Mapping[int, int]) -> Begin:
    """At the oldest message; `wanted`: the first that had not been read, as far as the old checkpoint says."""
    remade = noted_id is not None and noted_id != topic_id
    return Begin(topic, None, {} if remade else _gap(wanted, bounds), remade)


def _gap(wanted: Mapping[int, int], bounds: Bounds) -> dict[int, tuple[int, int]]:
    found = {partition: (wanted.get(partition, first), first) for partition, (first, _) in bounds.items()}
    return {partition: span for partition, span in found.items() if span[0] < span[1]}


def _stored(settings: Settings, bounds: Bounds) -> position.Position | None:
    lake = Lake.of(settings)
    table = lake.find(READINGS)
    if table is None:
        return None
    commits = table.history(_COMMITS)
    notes = [json.loads(commit["userMetadata"]) for commit in commits if "userMetadata" in commit]
    found = position.last(commits)
    if found is None and notes:
        newest = datetime.fromtimestamp(max(note.get("newest_received", 0) for note in notes) / 1e6, UTC)
        letters = lake.find(DEAD_LETTERS)
        written = [each.to_pyarrow_dataset() for each in (table, letters) if each is not None]
        return position.of_rows(written, newest, [partition for partition, (_, end) in bounds.items() if end])
    return found


def noted(root: Path, query: str, topic: str) -> tuple[str | None, dict[int, int]]:
    """The topic's id and the offsets that had been read, as far as an old checkpoint can be read."""
    try:
        noted_id = checkpoints.made_for(root, query).get("topic_id")
        text = checkpoints.last_offsets(root / query, finished=True)
    except CheckpointError:
        return None, {}
    offsets = json.loads(text).get(topic, {}) if text else {}
    return noted_id, {int(partition): int(offset) for partition, offset in offsets.items()}
