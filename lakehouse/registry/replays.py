"""What became of dead letters: the table `registry.replays`."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Literal

from sqlalchemy import text

from lakehouse.registry.database import transaction
from sensorlake.errors import DeadLetterError
from sensorlake.settings import Settings

Outcome = Literal["sent", "quarantined"]
Origin = tuple[str, int, int]
"""Topic, partition and offset of a dead letter's message."""

LOCK = 7_365_736_572  # any number that nobody else in this database locks


@dataclass(frozen=True)
class Replay:
    """A dead letter that was sent again with `replay_count` in its header, or given up after as many tries."""

    origin: Origin
    outcome: Outcome
    replay_count: int
    dq_reason: str
    day: date
    """When the message arrived."""


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Within the block no other replay runs: two at once would send the same letters.

    Raises:
        DeadLetterError: another one runs.
    """
    with transaction(settings) as connection:
        if not connection.scalar(text("select pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK}):
            raise DeadLetterError("another replay of dead letters is running: wait until it has ended")
        yield


def recorded(settings: Settings, origins: Iterable[Origin]) -> dict[Origin, Outcome]:
    """What became of those of `origins` that something became of."""
    with transaction(settings) as connection:
        found = connection.execute(
            text(
                """
                select source_topic, source_partition, source_offset, outcome
                from registry.replays join jsonb_to_recordset(cast(:origins as jsonb)) as asked (
                    topic text, partition integer, place bigint
                ) on (source_topic, source_partition, source_offset) = (topic, partition, place)
                """
            ),
            {"origins": _json(origins)},
        )
        return {(row.source_topic, row.source_partition, row.source_offset): row.outcome for row in found}


def record(settings: Settings, replays: Sequence[Replay], run: str) -> None:
    """Write what became of some dead letters, in one transaction; what is recorded already stays."""
    if not replays:
        return
    with transaction(settings) as connection:
        connection.execute(
            text(
                """
                insert into registry.replays (
                    source_topic, source_partition, source_offset, outcome, replay_count, dq_reason, event_date,
                    run
                )
                select topic, partition, place, outcome, replay_count, dq_reason, event_date, :run
                from jsonb_to_recordset(cast(:rows as jsonb)) as given (
                    topic text, partition integer, place bigint, outcome text, replay_count integer, dq_reason text,
                    event_date date
                )
                on conflict do nothing
                """
            ),
            {"rows": json.dumps([_row(replay) for replay in replays]), "run": run},
        )


def counts(settings: Settings, topic: str) -> dict[tuple[str, date], dict[Outcome, int]]:
    """How many dead letters of `topic` were sent again or given up, by reason and day of arrival."""
    query = (
        "select dq_reason, event_date, outcome, count(*) as number from registry.replays where source_topic = :topic "
        "group by dq_reason, event_date, outcome"
    )
    counted: dict[tuple[str, date], dict[Outcome, int]] = {}
    with transaction(settings) as connection:
        for row in connection.execute(text(query), {"topic": topic}):
            counted.setdefault((row.dq_reason, row.event_date), {})[row.outcome] = row.number
    return counted


def _row(replay: Replay) -> Mapping[str, object]:
    named = dict(zip(("topic", "partition", "place"), replay.origin, strict=True))
    return {
        **named,
        "outcome": replay.outcome,
        "replay_count": replay.replay_count,
        "dq_reason": replay.dq_reason,
        "event_date": replay.day.isoformat(),
    }


def _json(origins: Iterable[Origin]) -> str:
    return json.dumps([dict(zip(("topic", "partition", "place"), origin, strict=True)) for origin in origins])
