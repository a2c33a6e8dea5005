"""The stream's Delta tables as a sensor sees them: what is new since it looked last."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lakehouse.tables import Table
from orchestration.metadata import delta_metadata
from orchestration.watching import commits

if TYPE_CHECKING:
    from lakehouse.lake import Lake

# A storage that is down must not hold a tick up for minutes, as its client would.
_PATIENCE = {"max_retries": "1", "retry_timeout": "4s", "connect_timeout": "2s", "timeout": "15s"}


@dataclass(frozen=True)
class News:
    """What to tell of one table: an event's metadata each; `trouble` says why it could not be looked at."""

    table: Table
    version: int | None
    events: Sequence[dict[str, Any]] = ()
    trouble: str | None = None


def look(lake: "Lake", table: Table, seen: int | None, now: datetime) -> News:
    """The commits of `table` after version `seen`; where the table is younger than that, all of its commits.

    Totals stand in the last event: they are those of the table as it is now.
    """
    from deltalake.exceptions import DeltaError, TableNotFoundError  # noqa: PLC0415  imports delta-rs

    try:
        found = replace(lake, options={**lake.options, **_PATIENCE}).open(table)
        version = found.version()
        if version == seen:
            return News(table, version)
        known = -1 if seen is None or seen > version else seen
        told = commits.told(commits.since(found, known))
        events = [commits.metadata(group, now) for group in told]
        if events:
            events[-1] |= delta_metadata(found) | {"table_version": events[-1]["table_version"]}
        return News(table, version, events)
    except TableNotFoundError:
        trouble = "it has gone" if seen is not None else "the stream has not made it yet"
        return News(table, None, trouble=f"{table.name}: {trouble}")
    except (DeltaError, OSError) as error:
        return News(table, seen, trouble=f"{table.name} cannot be read: {str(error).splitlines()[0][:300]}")
