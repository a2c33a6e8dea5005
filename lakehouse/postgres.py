"""A connection to the project's database, for those who speak SQL to it directly."""

import socket

import pg8000.native  # type: ignore[import-untyped]
from pg8000.exceptions import InterfaceError  # type: ignore[import-untyped]

from sensorlake import connections
from sensorlake.settings import Settings

ANSWER_SECONDS = 20
"""So long an answer to whoever may not wait for slow statements may take."""


def connect(settings: Settings, application: str, seconds: float = ANSWER_SECONDS) -> pg8000.native.Connection:
    """Open a connection; `application` is the name that the server shows for it. An answer may take `seconds`.

    Raises:
        InterfaceError, DatabaseError: of pg8000, where the server does not answer or refuses.
    """
    host, port = settings.postgres_host, settings.postgres_port
    try:
        opened = socket.create_connection((host, port), seconds)
    except OSError as error:
        raise InterfaceError(f"Can't create a connection to host {host} and port {port} ({error}).") from error
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    try:
        return pg8000.native.Connection(
            settings.postgres_user,
            host=host,
            port=port,
            database=settings.postgres_database,
            password=settings.postgres_password.get_secret_value(),
            timeout=seconds,
            application_name=application,
            sock=opened,
            ssl_context=connections.postgres_tls(settings),
        )
    except BaseException:
        # The library leaves it open when a server that is just starting refuses.
        opened.close()
        raise
