"""Schema `facts` in PostgreSQL: what reports need of the lake.

One transaction a load:

    1. COPY the rows into a temporary staging table      a crash before the commit leaves the table as it was
    2. DELETE what the rows replace
    3. INSERT from the staging table, commit             a crash after it: the same load again changes no figure
"""

import contextlib
import io
from collections.abc import Mapping, Sequence
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


def load(settings: Settings, table: str, rows: pa.Table, replace: Mapping[str, object]) -> None:
    """Have `rows` in `facts.<table>` in place of the rows whose columns equal `replace`; without any: of all rows.

    Raises:
        StackError: PostgreSQL is not reachable, or does not take the rows.
    """
    wanted = " and ".join(f"{identifier(name)} = {literal(str(value))}" for name, value in replace.items())
    _write(settings, table, rows, f"delete from facts.{identifier(table)} where {wanted or 'true'}")  # noqa: S608  names of our own


def merge(settings: Settings, table: str, rows: pa.Table, key: Sequence[str]) -> None:
    """Have `rows` in `facts.<table>` in place of those with the same `key`; all others stay.

    Raises:
        StackError: as of `load`.
    """
    names = ", ".join(map(identifier, key))
    delete = f"delete from facts.{identifier(table)} where ({names}) in (select {names} from staging)"  # noqa: S608  names of our own
    _write(settings, table, rows, delete)


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


def _write(settings: Settings, table: str, rows: pa.Table, delete: str) -> None:
    name, columns = identifier(table), ", ".join(map(identifier, rows.column_names))
    connection = _connected(settings)
    try:
        connection.run("begin")
        connection.run(f"create temporary table staging (like facts.{name} including defaults) on commit drop")
        for batch in rows.to_batches(max_chunksize=_ROWS_AT_ONCE):
            stream = io.BytesIO(_csv(batch))
            connection.run(f"copy staging ({columns}) from stdin (format csv)", stream=stream)
        connection.run(delete)
        connection.run(f"insert into facts.{name} ({columns}) select {columns} from staging")  # noqa: S608  names of our own
        connection.run("commit")
    except pg8000.exceptions.DatabaseError as error:
        raise StackError(f"PostgreSQL does not take the rows of facts.{table}: {_message(error)}") from error
    finally:
        with contextlib.suppress(pg8000.exceptions.Error, OSError):
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
