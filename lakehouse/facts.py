"""Schema `facts` in PostgreSQL: what reports need of the lake.

One transaction for all tables of a load:

    1. COPY the rows into a temporary staging table      a crash before the commit leaves all tables as they were
    2. DELETE what the rows replace
    3. INSERT from the staging table
    4. the same for the other tables, commit             a crash after it: the same load again changes no figure
"""

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import pg8000.exceptions
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from pg8000.native import Connection, identifier, literal

from lakehouse.postgres import connect
from sensorlake.errors import StackError
from sensorlake.settings import Settings

DAYS_OF = {
    "device_days": "event_date",
    "device_hours": "event_date",
    "reading_days": "event_date",
    "quality_results": "day",
}
"""The tables that hold days, and the column that says which."""
_ROWS_AT_ONCE = 200_000
_SECONDS = 600


@contextmanager
def loading(settings: Settings) -> "Iterator[Loading]":
    """One transaction: at the end of the block all tables hold what was loaded in it, or, if it raises, none does.

    Raises:
        StackError: PostgreSQL is not reachable, does not take the rows, or went away.
    """
    connection = _connected(settings)
    under_way = Loading(connection)
    try:
        connection.run("begin")
        yield under_way
        connection.run("commit")
    except pg8000.exceptions.DatabaseError as error:
        raise StackError(f"PostgreSQL does not take the rows of facts.{under_way.table}: {_message(error)}") from error
    except (pg8000.exceptions.InterfaceError, OSError) as error:
        raise StackError(
            f"PostgreSQL at {settings.postgres_host}:{settings.postgres_port} went away while facts.{under_way.table} "
            f"was loaded ({_message(error)}): all tables are as they were. Start it with "
            "`sensorlake up`, and run it again"
        ) from error
    finally:
        with contextlib.suppress(pg8000.exceptions.Error, OSError):
            connection.close()


class Loading:
    """A transaction that replaces rows; `table` is the one being loaded."""

    def __init__(self, connection: Connection) -> None:
        self.table = ""
        self._connection = connection

    def has(self, table: str, where: Mapping[str, object]) -> bool:
        """Are there rows in `facts.<table>` whose columns equal `where`?"""
        wanted = " and ".join(f"{identifier(name)} = {literal(str(value))}" for name, value in where.items())
        return bool(self._connection.run(f"select 1 from facts.{identifier(table)} where {wanted} limit 1"))  # noqa: S608  names of our own

    def replace(self, table: str, rows: pa.Table, where: Mapping[str, object]) -> None:
        """Have `rows` in `facts.<table>` in place of the rows whose columns equal `where`; without any: of all rows."""
        wanted = " and ".join(f"{identifier(name)} = {literal(str(value))}" for name, value in where.items())
        self._write(table, rows, f"delete from facts.{identifier(table)} where {wanted or 'true'}")  # noqa: S608  names of our own

    def merge(self, table: str, rows: pa.Table, key: Sequence[str]) -> None:
        """Have `rows` in `facts.<table>` in place of those with the same `key`; all others stay."""
        names = ", ".join(map(identifier, key))
        delete = f"delete from facts.{identifier(table)} where ({names}) in (select {names} from staging)"  # noqa: S608  names of our own
        self._write(table, rows, delete)

    def _write(self, table: str, rows: pa.Table, delete: str) -> None:
        self.table = table
        name, columns = identifier(table), ", ".join(map(identifier, rows.column_names))
        run = self._connection.run
        run(f"create temporary table staging (like facts.{name} including defaults) on commit drop")
        for batch in rows.to_batches(max_chunksize=_ROWS_AT_ONCE):
            run(f"copy staging ({columns}) from stdin (format csv)", stream=io.BytesIO(_csv(batch)))
        run(delete)
        run(f"insert into facts.{name} ({columns}) select {columns} from staging")  # noqa: S608  names of our own
        run("drop table staging")


def drop_before(settings: Settings, day: date) -> dict[str, int]:
    """Forget the days before `day`; how many rows went, by table."""
    connection = _connected(settings)
    try:
        gone = {}
        for table, column in DAYS_OF.items():
            connection.run(f"delete from facts.{table} where {column} < :day", day=day)  # noqa: S608  names of our own
            gone[table] = connection.row_count
        return gone
    finally:
        connection.close()


def _csv(batch: pa.RecordBatch) -> bytes:
    """The rows as CSV: a null is an empty cell, an empty text is "", as COPY wants them."""
    written = io.BytesIO()
    columns = [_written(column) for column in batch.columns]
    pyarrow.csv.write_csv(
        pa.RecordBatch.from_arrays(columns, names=batch.schema.names),
        written,
        pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed"),
    )
    return written.getvalue()


def _written(column: pa.Array) -> pa.Array:
    # PostgreSQL's text cannot hold the character 0.
    return pc.replace_substring(column, "\x00", "\ufffd") if pa.types.is_string(column.type) else column


def _connected(settings: Settings) -> Connection:
    try:
        return connect(settings, "sensorlake-facts", _SECONDS)
    except (pg8000.exceptions.Error, OSError) as error:
        raise StackError(
            f"PostgreSQL does not answer at {settings.postgres_host}:{settings.postgres_port}, or refuses us "
            f"({_message(error)}). Start it with `sensorlake up`, or see SENSORLAKE_POSTGRES_*"
        ) from error


def _message(error: Exception) -> str:
    told: Any = error.args[0] if error.args else error
    return str(told.get("M", told)) if isinstance(told, dict) else str(told)
