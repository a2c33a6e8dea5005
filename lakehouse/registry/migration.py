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
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from lakehouse.registry import grants
from lakehouse.registry.database import transaction
from sensorlake.errors import StackError
from sensorlake.settings import Settings

SCRIPTS = Path(__file__).parent / "migrations"
LOCK = 7_365_736_571  # any number that nobody else in this database locks


def migrate(settings: Settings, seconds: float | None = None) -> None:
    """Apply the migrations that are missing; does nothing where none is. `seconds`: how long any answer may take.

    Where the servers are secured, the operator does so and gives each part its rights; others only look whether it was
    done.

    Raises:
        UnreachableError: PostgreSQL does not answer. StackError: it refuses us, or holds the schema of a later version.
    """
    with transaction(settings, seconds) as connection:
        if settings.secure and settings.service != "operator":
            _require_newest(connection)
            return
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        connection.execute(text("create schema if not exists registry"))
        try:
            command.upgrade(config(connection), "head")
        except CommandError as error:
            raise StackError(
                f"the schema in database {settings.postgres_database!r} is not one that this version of sensorlake "
                f"knows ({error}); a later version made it. Use that version, or another database."
            ) from error
        if settings.secure:
            for statement in grants.statements():
                connection.execute(text(statement))


def _require_newest(connection: Connection) -> None:
    """
    Raises:
        StackError: a migration is missing, and whoever asks may not make tables.
    """
    newest = ScriptDirectory.from_config(config()).get_current_head()
    there = connection.scalar(text("select to_regclass('registry.migrations')"))
    if there is None or connection.scalar(text("select version_num from registry.migrations")) != newest:
        raise StackError(
            "the registry in PostgreSQL is not that of this version of sensorlake, and only the operator may change "
            "it here: run `sensorlake up`"
        )


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration; without a connection it serves to read the migrations only."""
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made
