"""What the suites of expectations/ judge, taken from the lake and the registry; knows no Dagster.

A table is read in pieces of some 200,000 rows, of the columns that are asked for and the day alone, two files ahead at
most, so that a day of any size takes the memory of a piece.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from deltalake import DeltaTable, Schema
from numpy.typing import NDArray
from pyarrow import fs
from sqlalchemy import text

from expectations.data import Commits, Data, Offsets
from lakehouse import commits, retention
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.registry import database
from lakehouse.tables import DEAD_LETTERS, ENRICHED_READINGS, FEATURES, READINGS, Table
from sensorlake.settings import Settings

PIECE_ROWS = 200_000
COMPARED_DAYS = 7

_COMPARED_WITH = {DEAD_LETTERS: READINGS, ENRICHED_READINGS: READINGS}
# Windows that slide repeat each pane six times.
_LEFT_OUT = {FEATURES: ("window_kind", "sliding_60s")}
# As long may a reading be on its way, and as far may its device's clock be ahead, in whole days.
_DAYS_LATE, _DAYS_AHEAD = 8, 1


def exists(lake: Lake, table: Table) -> bool:
    return DeltaTable.is_deltatable(lake.uri(table), dict(lake.options))


def registered_devices(settings: Settings) -> dict[str, tuple[datetime, datetime | None]]:
    """When each device of the registry was installed and retired."""
    with database.transaction(settings) as connection:
        rows = connection.execute(text("select device_id, installed_at, retired_at from registry.devices"))
        return {device: (installed, retired) for device, installed, retired in rows}


def gather(
    lake: Lake,
    table: Table,
    *,
    now: datetime,
    day: date | None = None,
    devices: frozenset[str] | None = None,
    messages: bool = True,
    chosen: pc.Expression | None = None,
) -> Data:
    """Everything that the suite of `table` asks for. Without a day: the whole table as it is.

    `messages`: count also what became of the day's messages, of which the readings alone tell. `chosen`: the rows that
    are judged, where they are not those of a day.
    """
    opened = lake.open(table)
    by_day = rows_by_day(opened, table)
    counted = messages and table is READINGS and day is not None
    batches = commits.batches(lake, READINGS, day) if counted and day else None
    other = _COMPARED_WITH.get(table)
    return Data(
        table=table.name,
        wanted=_types(pa.schema(Schema.from_arrow(arrow_schema(table.record)).to_arrow())),
        found=_types(pa.schema(opened.schema().to_arrow())),
        read=partial(_pieces, opened, _rows_of(table, day) if chosen is None else chosen),
        rows=by_day.get(day, 0) if day else sum(by_day.values()),
        now=now,
        day=day,
        usual=_usual(by_day, day),
        devices=devices,
        others={other.name: rows_by_day(lake.open(other), other).get(day, 0)} if other and exists(lake, other) else {},
        commits=_commits(batches, day) if batches is not None and day else None,
        offsets=_offsets(lake, batches, day) if batches is not None and day else None,
    )


def rows_by_day(opened: DeltaTable, table: Table) -> dict[date | None, int]:
    """As the table's log counts them, no file is opened; day None where the table has none."""
    actions = pa.table(opened.get_add_actions(flatten=True))
    rows: dict[date | None, int] = {}
    column = retention.day_column(table)
    days = actions[f"partition.{column}"].to_pylist() if column else [None] * actions.num_rows
    for day, count in zip(days, actions["num_records"].to_pylist(), strict=True):
        rows[day] = rows.get(day, 0) + (count or 0)
    return rows


def _types(schema: pa.Schema) -> dict[str, str]:
    return {field.name: str(field.type) for field in schema}


def _usual(by_day: Mapping[date | None, int], day: date | None) -> tuple[int, ...]:
    """Days without a row are left out: the stream stood still."""
    if day is None:
        return ()
    before = (by_day.get(day - timedelta(days=back), 0) for back in range(1, COMPARED_DAYS + 1))
    return tuple(rows for rows in before if rows)


def _rows_of(table: Table, day: date | None) -> pc.Expression | None:
    if day is None:
        return None
    of_day = pc.field(retention.day_column(table)) == pa.scalar(day)
    if table in _LEFT_OUT:
        column, value = _LEFT_OUT[table]
        return of_day & ((pc.field(column) != value) | pc.field(column).is_null())
    return of_day


def _pieces(opened: DeltaTable, chosen: pc.Expression | None, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The stream leaves thousands of small files on the day that is not over: their rows are gathered into pieces.

    A table without a row gives one piece, so that every check is made.
    """
    dataset = opened.to_pyarrow_dataset(filesystem=_files(opened))
    names = [name for name in dataset.schema.names if name in set(columns)]
    batches = dataset.to_batches(
        columns=names, filter=chosen, batch_size=PIECE_ROWS, batch_readahead=1, fragment_readahead=2
    )
    held: list[pa.RecordBatch] = []
    rows = given = 0
    for batch in batches:
        if batch.num_rows:
            held.append(batch)
            rows += batch.num_rows
        if rows >= PIECE_ROWS:
            yield pa.Table.from_batches(held).combine_chunks()
            given, rows, held = given + 1, 0, []
    if held or not given:
        schema = pa.schema([dataset.schema.field(name) for name in names])
        yield pa.Table.from_batches(held, schema=held[0].schema if held else schema).combine_chunks()


def _files(opened: DeltaTable) -> fs.FileSystem | None:
    """Arrow's own client of the storage. Through delta-rs' client, which is Python to Arrow, threads that still close
    files abort a process that ends soon after (seen in 4 of 12 short ones). None for a local folder."""
    options = opened._storage_options or {}
    if not opened.table_uri.startswith("s3://"):
        return None
    endpoint = urlsplit(options["AWS_ENDPOINT_URL"])
    storage = fs.S3FileSystem(
        access_key=options["AWS_ACCESS_KEY_ID"],
        secret_key=options["AWS_SECRET_ACCESS_KEY"],
        region=options["AWS_REGION"],
        scheme=endpoint.scheme,
        endpoint_override=endpoint.netloc,
        # As delta-rs was told (lakehouse/lake.py).
        tls_ca_file_path=os.environ.get("SSL_CERT_FILE"),
    )
    return fs.SubTreeFileSystem(opened.table_uri.removeprefix("s3://").rstrip("/"), storage)


def _commits(found: Sequence[commits.Batch], day: date) -> Commits:
    end = _micros(day + timedelta(days=1))
    of_day = [batch for batch in found if batch.committed < end]
    return Commits(
        messages=sum(batch.messages for batch in of_day),
        valid=sum(batch.valid for batch in of_day),
        dead_letters=sum(batch.dead_letters for batch in of_day),
        duplicates=sum(batch.duplicates for batch in of_day),
        added=sum(batch.added for batch in of_day),
    )


def _offsets(lake: Lake, found: Sequence[commits.Batch], day: date) -> Offsets:
    """The messages that the broker took on `day`: an offset of which no row is stored must be a duplicate's.

    Duplicates count in every batch that may hold a message of the day, so rather too many of them than too few: what
    is left unaccounted for is lost beyond doubt.
    """
    end = _micros(day + timedelta(days=1))
    duplicates = 0
    for batch in found:
        duplicates += batch.duplicates
        if batch.newest_received >= end:
            break
    stored: dict[int, list[NDArray[np.int64]]] = {}
    for table in (READINGS, DEAD_LETTERS):
        if not exists(lake, table):
            continue
        pieces = _pieces(lake.open(table), _received_on(day), ("source_partition", "source_offset"))
        for piece in pieces:
            partition, offset = piece["source_partition"].to_numpy(), piece["source_offset"].to_numpy()
            for each in np.unique(partition):
                stored.setdefault(int(each), []).append(np.unique(offset[partition == each]))
    distinct = [np.unique(np.concatenate(each)) for each in stored.values()]
    return Offsets(
        consumed=sum(int(each[-1] - each[0]) + 1 for each in distinct),
        stored=sum(len(each) for each in distinct),
        duplicates=duplicates,
    )


def _received_on(day: date) -> pc.Expression:
    """Its readings may be of earlier days, and of the next."""
    start = datetime.combine(day, time(), UTC)
    arrived, event_date = pc.field("received_at"), pc.field("event_date")
    near = (event_date >= pa.scalar(day - timedelta(days=_DAYS_LATE))) & (
        event_date <= pa.scalar(day + timedelta(days=_DAYS_AHEAD))
    )
    in_day = (arrived >= pa.scalar(start, pa.timestamp("us", "UTC"))) & (
        arrived < pa.scalar(start + timedelta(days=1), pa.timestamp("us", "UTC"))
    )
    return near & in_day & pc.field("source_offset").is_valid() & pc.field("source_partition").is_valid()


def _micros(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1_000_000
