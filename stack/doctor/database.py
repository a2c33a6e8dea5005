"""What PostgreSQL says of itself, where it answers."""

import contextlib
import socket

import pg8000.native  # type: ignore[import-untyped]
from pg8000.exceptions import Error  # type: ignore[import-untyped]

from sensorlake import connections
from sensorlake.settings import Settings

_SECONDS = 5


def seconds(settings: Settings) -> float | None:
    """Its clock, in seconds since 1970; None where it does not answer or refuses us."""
    told = _ask(settings, "select extract(epoch from clock_timestamp())::float8")
    return float(str(told)) if told is not None else None


def version(settings: Settings) -> str | None:
    """Such as 18.6; None where it does not answer or refuses us."""
    told = _ask(settings, "show server_version")
    return str(told).split()[0] if told is not None else None


def _ask(settings: Settings, question: str) -> object | None:
    with contextlib.suppress(OSError, Error):
        opened = socket.create_connection((settings.postgres_host, settings.postgres_port), timeout=_SECONDS)
        try:
            connection = pg8000.native.Connection(
                settings.postgres_user,
                database=settings.postgres_database,
                password=settings.postgres_password.get_secret_value(),
                application_name="sensorlake-doctor",
                timeout=_SECONDS,
                sock=opened,
                host=settings.postgres_host,
                ssl_context=connections.postgres_tls(settings),
            )
            try:
                answer: object = connection.run(question)[0][0]
                return answer
            finally:
                connection.close()
        finally:
            opened.close()
    return None
