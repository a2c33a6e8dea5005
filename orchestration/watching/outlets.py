"""How much stands in the stream's topics, measurements and PostgreSQL tables, asked of the servers at little cost.

Each function raises what its client raises; the sensor tells which server did not answer.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zlib import crc32

from contracts.topics import Topics
from sensorlake import connections
from sensorlake.settings import Settings

_SECONDS = 5
# A point older than this counts as old news: to look further back would read the whole bucket.
_LOOK_BACK = "-15m"


@dataclass(frozen=True)
class Column:
    """A column of a table as PostgreSQL knows it; `description`: the comment on it."""

    name: str
    type: str
    nullable: bool
    description: str | None


@dataclass(frozen=True)
class Outlet:
    """One asset as its server describes it. `mark` changes whenever something was written, or its columns did."""

    asset: str
    mark: str
    metadata: dict[str, Any]
    columns: tuple[Column, ...] = ()


def topics(settings: Settings) -> list[Outlet]:
    """Messages of each topic, by its first and last offsets."""
    from confluent_kafka import TopicPartition  # noqa: PLC0415  loads a C library
    from confluent_kafka.admin import AdminClient, OffsetSpec  # noqa: PLC0415

    admin = AdminClient(
        {
            **connections.kafka(settings),
            "log_level": 0,
            "socket.timeout.ms": _SECONDS * 1000,
        }
    )
    known = admin.list_topics(timeout=_SECONDS).topics
    found = []
    for name in Topics(settings.topic_prefix).all():
        if name not in known:
            continue
        places = [TopicPartition(name, number) for number in known[name].partitions]
        ends = [
            sum(
                asked.result(timeout=_SECONDS).offset
                for asked in admin.list_offsets(dict.fromkeys(places, spec), request_timeout=_SECONDS).values()
            )
            for spec in (OffsetSpec.earliest(), OffsetSpec.latest())
        ]
        figures = {"topic": name, "partitions": len(places), "messages": ends[1] - ends[0], "messages_ever": ends[1]}
        found.append(Outlet(topic_key(name.removeprefix(settings.topic_prefix)), str(ends[1]), figures))
    return found


def topic_key(name: str) -> str:
    """
    >>> topic_key("iot.sensor.raw")
    'kafka/iot_sensor_raw'
    """
    return f"kafka/{name.replace('.', '_')}"


def measurements(settings: Settings) -> list[Outlet]:
    """The time of the newest point of each measurement within the last quarter of an hour."""
    from influxdb_client import InfluxDBClient  # noqa: PLC0415  takes half a second to import

    with InfluxDBClient(
        settings.influxdb_url,
        settings.influxdb_token.get_secret_value(),
        org=settings.influxdb_org,
        timeout=_SECONDS * 1000,
        ssl_ca_cert=connections.certificates(settings),
    ) as client:
        found = []
        for name in ("sensor_metrics", "sensor_anomalies"):
            text = (
                f'from(bucket: "{settings.influxdb_bucket}") |> range(start: {_LOOK_BACK}) '
                f'|> filter(fn: (r) => r._measurement == "{name}") '
                '|> keep(columns: ["_time"]) |> max(column: "_time")'
            )
            times = [record.get_time() for table in client.query_api().query(text) for record in table.records]
            if times:
                newest: datetime = max(times)
                figures = {"newest_point": newest, "bucket": settings.influxdb_bucket}
                found.append(Outlet(f"influxdb/{name}", newest.isoformat(), figures))
        return found


_TABLES = """
select schemaname, case when relname like 'anomalies%' then 'anomalies' else relname end as name,
       sum(n_live_tup), sum(n_tup_ins + n_tup_upd + n_tup_del)
from pg_stat_user_tables where schemaname in ('registry', 'stream') and relname not like 'alembic%'
group by 1, 2
"""
# Those of the stream's tables stand in contracts/; the registry's are only in its migrations.
_COLUMNS = """
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), not a.attnotnull, col_description(c.oid, a.attnum)
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'registry' and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
order by c.relname, a.attnum
"""
_NEWEST = "select stored_at from stream.anomalies order by event_time desc limit 1"


def tables(settings: Settings) -> list[Outlet]:
    """The rows of each table as PostgreSQL estimates them, which costs nothing; of the anomalies also the newest,
    and of the registry's tables their columns."""
    from lakehouse.postgres import connect  # noqa: PLC0415  its driver takes a moment to import

    connection = connect(settings, "dagster sensor")
    try:
        columns: dict[tuple[str, str], list[Column]] = {}
        for table, *column in connection.run(_COLUMNS):
            columns.setdefault(("registry", table), []).append(Column(*column))
        found = []
        for schema, name, rows, written in connection.run(_TABLES):
            its = tuple(columns.get((schema, name), ()))
            figures: dict[str, Any] = {"rows_estimated": int(rows)}
            if (schema, name) == ("stream", "anomalies") and (newest := connection.run(_NEWEST)):
                figures["newest_stored_at"] = newest[0][0]
            mark = f"{written} {crc32(repr(its).encode())}"
            found.append(Outlet(f"postgres/{schema}/{name}", mark, figures, its))
        return found
    finally:
        connection.close()
