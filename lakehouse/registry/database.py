"""Connections to PostgreSQL, with errors that say what to do."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Connection, create_engine
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.pool import NullPool

from sensorlake import connections
from sensorlake.errors import StackError, UnreachableError
from sensorlake.settings import Settings

CONNECT_SECONDS = 5

LOGIN_REFUSED = "28P01"
NO_SUCH_DATABASE = "3D000"
NOT_ALLOWED = "42501"
NO_SUCH_TABLE = "42P01"
NOT_NOW = ("57P01", "57P02", "57P03")
"""It is shutting down, has crashed, or is starting."""
_LOST = "network error"
"""What pg8000 says, without a code, of a connection that was cut off or of an answer that took too long."""


def url(settings: Settings) -> URL:
    """Where the database is; as text it shows *** in place of the password."""
    return URL.create(
        "postgresql+pg8000",
        username=settings.postgres_user,
        password=settings.postgres_password.get_secret_value() or None,
        host=settings.postgres_host,
        port=settings.postgres_port,
        database=settings.postgres_database,
    )


@contextmanager
def transaction(settings: Settings, seconds: float | None = None) -> Iterator[Connection]:
    """A connection whose work is committed at the end of the block, or undone if the block raises. `seconds`: how long
    any answer may take; None waits for slow statements.

    Raises:
        UnreachableError: nothing answers, or not yet. StackError: the server refuses this user, password or database.
    """
    _require_answer(settings)
    tls = connections.postgres_tls(settings)
    given = {"timeout": seconds} | ({"ssl_context": tls} if tls else {})
    engine = create_engine(url(settings), poolclass=NullPool, connect_args=given)
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        if sqlstate(error) in NOT_NOW or (isinstance(error, InterfaceError) and _LOST in str(error.orig)):
            raise UnreachableError(f"PostgreSQL at {_address(settings)} does not answer now: {error.orig}") from error
        reason = _reason(settings, sqlstate(error))
        if reason is None:
            raise
        raise StackError(f"PostgreSQL at {_address(settings)} {reason}") from error
    finally:
        engine.dispose()


def sqlstate(error: DBAPIError) -> str:
    """PostgreSQL's five-character code of what went wrong; empty where the server sent none."""
    fields = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return str(fields.get("C", "")) if isinstance(fields, dict) else ""


def _address(settings: Settings) -> str:
    return f"{settings.postgres_host}:{settings.postgres_port}"


def _require_answer(settings: Settings) -> None:
    """Knock first: the driver's own time limit would cut off slow statements, too."""
    try:
        socket.create_connection((settings.postgres_host, settings.postgres_port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise UnreachableError(
            f"PostgreSQL does not answer at {_address(settings)} ({error.strerror or error}). Start it with "
            "`sensorlake up`, or say where yours is: SENSORLAKE_POSTGRES_HOST and SENSORLAKE_POSTGRES_PORT"
        ) from error


def _reason(settings: Settings, code: str) -> str | None:
    if code == LOGIN_REFUSED:
        return (
            f"refuses the password of user {settings.postgres_user!r}: see SENSORLAKE_POSTGRES_USER and "
            f"SENSORLAKE_POSTGRES_PASSWORD, or {settings.credentials_file}"
        )
    if code == NO_SUCH_DATABASE:
        return (
            f"has no database {settings.postgres_database!r}: `sensorlake up` makes it in the local server; in "
            f"yours, run `create database {settings.postgres_database}` or set SENSORLAKE_POSTGRES_DATABASE"
        )
    if code == NOT_ALLOWED:
        return (
            f"does not let user {settings.postgres_user!r} do this in database {settings.postgres_database!r}: make "
            "that user the owner of the database"
        )
    if code == NO_SUCH_TABLE:
        return (
            f"holds no registry in database {settings.postgres_database!r} yet, or an older one: "
            "`sensorlake up` makes it in the local server, `sensorlake stream` in yours"
        )
    return None
