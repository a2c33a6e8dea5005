"""How long rows are kept, table by table, and how those past it go.

Days go whole: the predicate names nothing but the partition column, so that a commit drops files and rewrites none, and
readers that stream from a table see a pure delete.
"""

from datetime import UTC, date, datetime, timedelta

from deltalake import DeltaTable

from lakehouse.lake import Lake
from lakehouse.tables import (
    ANOMALIES,
    DEAD_LETTERS,
    ENRICHED_READINGS,
    FEATURES,
    QUALITY,
    READINGS,
    TRENDS,
    Table,
)
from sensorlake.errors import LakeError
from sensorlake.settings import Settings


def kept_days(settings: Settings) -> dict[str, int]:
    """Table name -> days kept. A table that is not named holds one state, which each writing replaces."""
    raw, features = settings.raw_retention_days, settings.feature_retention_days
    return {
        **dict.fromkeys((READINGS.name, DEAD_LETTERS.name, ENRICHED_READINGS.name), raw),
        **dict.fromkeys((FEATURES.name, TRENDS.name, QUALITY.name), features),
        ANOMALIES.name: settings.anomaly_retention_days,
    }


def first_kept(today: date, days: int) -> date:
    """The oldest day that stays: today counts as one of `days`, and the day that they reach back into stays whole.

    >>> first_kept(date(2026, 11, 30), 30)
    datetime.date(2026, 10, 31)
    """
    return today - timedelta(days=days)


def day_column(table: Table) -> str | None:
    """The partition column that holds a day, which is the last one; None where the table has none.

    >>> day_column(TRENDS)
    'event_date'
    """
    last = table.partition[-1] if isinstance(table.partition, tuple) else table.partition
    return last if last in ("event_date", "day") else None


def require_kept(lake: Lake, settings: Settings, source: Table, made: Table, day: date) -> None:
    """What was made of a day must not be replaced by what is left of it.

    Raises:
        LakeError: `made` has rows of a day that `source` no longer keeps.
    """
    first = first_kept(datetime.now(UTC).date(), kept_days(settings)[source.name])
    if day < first and (known := lake.find(made)) is not None and _has(known, made, day):
        raise LakeError(
            f"the rows of {day} are past the retention of {source.name}, which keeps days from {first} on, so "
            f"{made.name} cannot be made of them again: it stays as it is. Choose days from {first} on"
        )


def _has(known: DeltaTable, table: Table, day: date) -> bool:
    return bool(known.file_uris(file_pruning_predicate=[(day_column(table), "=", day.isoformat())]))


def drop_before(opened: DeltaTable, table: Table, day: date) -> int:
    """Delete all partitions of days before `day`; how many files that were. Nothing is committed where none are.

    Only the table's owner may call this, as it writes. The files themselves go with a later vacuum.
    """
    column = day_column(table)
    if column is None:
        return 0
    dropped = opened.delete(f"{column} < '{day.isoformat()}'")
    return int(dropped["num_removed_files"])
