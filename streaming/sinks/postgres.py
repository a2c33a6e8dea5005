"""Anomalies to PostgreSQL, table `stream.anomalies`.

One transaction a batch:

    1. COPY into a temporary staging table                 a crash before the commit leaves nothing
    2. INSERT .. SELECT .. ON CONFLICT DO NOTHING, commit   a crash after it: the batch comes again, and
    3. Spark commits the offsets                           every row of it meets its own id

The table's key is the id with its day, by which it is partitioned; an id is a function of the event time, so this is as
unique as the id alone.
"""

import contextlib
import io
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pg8000.exceptions
import pyarrow as pa
from pg8000.native import Connection

from contracts.avro import field_names
from lakehouse.postgres import connect
from sensorlake.settings import Settings

COLUMNS = tuple(field_names("anomaly"))
_LIST = ", ".join(COLUMNS)


class PostgresSink:
    """Keeps its connection from batch to batch; one that the server has closed meanwhile is opened again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: Connection | None = None

    def write(self, anomalies: pa.Table) -> None:
        """Insert the anomalies that are not there yet."""
        if anomalies.num_rows == 0:
            return
        lines = b"".join(map(_copy_line, anomalies.to_pylist()))
        connection = self._connection()
        try:
            connection.run("BEGIN")
            connection.run("CREATE TEMPORARY TABLE staging (LIKE stream.anomalies INCLUDING DEFAULTS) ON COMMIT DROP")
            connection.run(f"COPY staging ({_LIST}) FROM STDIN", stream=io.BytesIO(lines))
            connection.run(
                f"INSERT INTO stream.anomalies ({_LIST}) SELECT {_LIST} FROM staging "  # noqa: S608 - names of our own
                "ON CONFLICT (anomaly_id, event_date) DO NOTHING"
            )
            connection.run("COMMIT")
        except Exception:
            self._drop()
            raise

    def _connection(self) -> Connection:
        if self._open is not None:
            try:
                self._open.run("SELECT 1")
            except (pg8000.exceptions.Error, OSError):
                self._drop()
        if self._open is None:
            self._open = connect(self._settings, "sensorlake-stream")
            # A query that ends lets go of its sink, and nobody else has the connection.
            self._closing = weakref.finalize(self, _close, self._open)
        return self._open

    def _drop(self) -> None:
        if self._open is not None:
            self._open = None
            self._closing()


def _close(connection: Connection) -> None:
    with contextlib.suppress(pg8000.exceptions.Error, OSError):
        connection.close()


def _copy_line(row: Mapping[str, Any]) -> bytes:
    """A row in the text format of COPY."""
    return ("\t".join(_copy_values(row)) + "\n").encode()


def _copy_values(row: Mapping[str, Any]) -> Iterator[str]:
    for name in COLUMNS:
        value = row[name]
        if value is None:
            yield r"\N"
        elif isinstance(value, list | dict):
            yield _escape(orjson.dumps(dict(value)).decode())
        elif isinstance(value, bool):
            yield "t" if value else "f"
        elif hasattr(value, "isoformat"):
            yield value.isoformat()
        else:
            yield _escape(str(value))


def _escape(text: str) -> str:
    # PostgreSQL's text cannot hold the character 0, JSON can.
    plain = text.replace("\x00", "�").replace("\\", "\\\\")
    return plain.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
