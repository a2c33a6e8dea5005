"""A connection to the project's database, for those who speak SQL to it directly."""

import pg8000.native  # type: ignore[import-untyped]

from sensorlake.settings import Settings

_SECONDS = 20


def connect(settings: Settings, application: str, seconds: float = _SECONDS) -> pg8000.native.Connection:
    """Open a connection; `application` is the name that the server shows for it. An answer may take `seconds`."""
    return pg8000.native.Connection(
        settings.postgres_user,
        host=settings.postgres_host,
        port=settings.postgres_port,
        database=settings.postgres_database,
        password=settings.postgres_password.get_secret_value(),
        timeout=seconds,
        application_name=application,
    )
