"""The monthly partitions of `stream.anomalies`: made ahead of time, dropped by age.

Making and dropping need the table for themselves for a moment. They give up after some seconds rather than queue behind
a long report, as the stream's inserts would queue behind them.
"""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, text

from lakehouse.registry.database import transaction
from sensorlake.settings import Settings

MONTHS_AHEAD = 2
_PATIENCE = "set local lock_timeout = '10s'"


def ensure_anomaly_partitions(settings: Settings, ahead: int = MONTHS_AHEAD) -> list[str]:
    """Have partitions from the last month to `ahead` months from now; the names of those made.

    Rows of such a month that lay in the default partition move into it.

    Raises:
        StackError: PostgreSQL is not reachable or refuses us.
    """
    month = (datetime.now(UTC).date().replace(day=1) - timedelta(days=1)).replace(day=1)
    with transaction(settings) as connection:
        connection.execute(text(_PATIENCE))
        made = []
        for _ in range(ahead + 2):
            made.append(connection.scalar(text("select stream.add_anomalies_month(:month)"), {"month": month}))
            month = _following(month)
    return [name for name in made if name]


def drop_anomalies_before(settings: Settings, day: date) -> list[str]:
    """Drop every month that ended before `day`, and delete what else is older; the partitions that were touched.

    Raises:
        StackError: PostgreSQL is not reachable or refuses us.
    """
    with transaction(settings) as connection:
        connection.execute(text(_PATIENCE))
        dropped = [name for name in _months(connection) if _following(_first_day(name)) <= day]
        for name in dropped:
            # A function, as who may call it need not own the table.
            connection.execute(text("select stream.drop_anomalies_month(:month)"), {"month": _first_day(name)})
        # At most a month's rows and the default partition's are left to delete one by one.
        deleted = connection.execute(
            text(
                "with gone as (delete from stream.anomalies where event_date < :day returning tableoid) "
                "select distinct relname from gone join pg_class on pg_class.oid = gone.tableoid order by relname"
            ),
            {"day": day},
        )
        return dropped + [row.relname for row in deleted]


def _months(connection: Connection) -> list[str]:
    found = connection.execute(
        text(
            "select relname from pg_inherits join pg_class on pg_class.oid = inhrelid "
            "where inhparent = 'stream.anomalies'::regclass and relname ~ '^anomalies_[0-9]{4}_[0-9]{2}$' "
            "order by relname"
        )
    )
    return [row.relname for row in found]


def _first_day(partition: str) -> date:
    """
    >>> _first_day("anomalies_2026_11")
    datetime.date(2026, 11, 1)
    """
    _, year, month = partition.split("_")
    return date(int(year), int(month), 1)


def _following(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)
