"""How long rows are kept, table by table, and how those past it go.

Days go whole: the predicate names nothing but the partition column, so that a commit drops files and rewrites none, and
readers that stream from a table see a pure delete.
"""

from datetime import date, timedelta

from deltalake import DeltaTable

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


def drop_before(opened: DeltaTable, table: Table, day: date) -> int:
    """Delete all partitions of days before `day`; how many files that were. Nothing is committed where none are.

    Only the table's owner may call this, as it writes. The files themselves go with a later vacuum.
    """
    column = day_column(table)
    if column is None:
        return 0
    dropped = opened.delete(f"{column} < '{day.isoformat()}'")
    return int(dropped["num_removed_files"])
