"""Brings the schemas `registry` and `stream` to the shape that this version of sensorlake works with.

Everything happens in one transaction, in this order:

1. take an advisory lock: a second process that starts at the same moment waits here;
2. create the schema `registry`, which holds alembic's own table beside ours (Dagster keeps one in `public`);
3. run the migrations that are missing, seeds included;
4. commit, which also gives the lock back.

A crash anywhere before step 4 leaves the database as it was. The process that waited in step 1 finds nothing left to
do, or does all of it where the first one died.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text

from lakehouse.registry.database import transaction
from sensorlake.errors import StackError
from sensorlake.settings import Settings

SCRIPTS = Path(__file__).parent / "migrations"
LOCK = 7_365_736_571  # any number that nobody else in this database locks


def migrate(settings: Settings) -> None:
    """Apply the migrations that are missing; does nothing where none is.

    Raises:
        StackError: PostgreSQL is not reachable, refuses us, or holds the schema of a later version.
    """
    with transaction(settings) as connection:
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        connection.execute(text("create schema if not exists registry"))
        try:
            command.upgrade(config(connection), "head")
        except CommandError as error:
            raise StackError(
                f"the schema in database {settings.postgres_database!r} is not one that this version of sensorlake "
                f"knows ({error}); a later version made it. Use that version, or another database."
            ) from error


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration; without a connection it serves to read the migrations only."""
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made
