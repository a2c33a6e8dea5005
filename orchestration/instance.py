"""Where Dagster keeps runs, events and ticks: a schema of its own in sensorlake's PostgreSQL.

`dagster.yaml` names this class and nothing else. Address and password come from sensorlake's settings, so they stand
in no file of Dagster's and on no command line, and `dg dev` in a checkout finds the servers of `sensorlake up`.
"""

from typing import TYPE_CHECKING, Any, Self

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import get_conn_string

from lakehouse.tables import TABLES, Owner
from sensorlake import connections
from sensorlake import settings as settings_module

if TYPE_CHECKING:
    from sensorlake.settings import Settings

SCHEMA = "dagster"
# The Delta tables that Dagster writes, and the load and the build of the reports.
POOLS = (*[table.name for table in TABLES if table.owner is Owner.DAGSTER], "reporting_facts", "reporting")
_LOCK = 7_365_736_572  # any number that nobody else in this database locks


class SensorlakeStorage(DagsterPostgresStorage):
    """Raises StackError where PostgreSQL does not answer or refuses us; the message says what to do."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, _config: dict[str, Any]) -> Self:
        from sqlalchemy import text  # noqa: PLC0415  not all who read this module open the storage

        from lakehouse.registry.database import transaction  # noqa: PLC0415

        settings = settings_module.load()
        take_turns = text("select pg_advisory_xact_lock(:lock)")
        # Web server, daemon and code server start at the same moment, and only one of them may make the tables.
        with transaction(settings) as connection:
            connection.execute(take_turns, {"lock": _LOCK})
            # Asked first: who may make no schema is refused even where it is there already.
            if not connection.scalar(text("select to_regnamespace(:name)"), {"name": SCHEMA}):
                connection.execute(text(f"create schema {SCHEMA}"))
        with transaction(settings) as connection:
            connection.execute(take_turns, {"lock": _LOCK})
            storage = cls(address(settings), inst_data=inst_data)
            storage._limit_pools()
            return storage

    def _limit_pools(self) -> None:
        """One run at a time in each pool, from the first run on. Left to `default_limit` in `dagster.yaml`, a pool gets
        its limit only while the first runs that name it are started, and two of them may start together."""
        events = self.event_log_storage
        known = {pool.name for pool in events.get_pool_limits()}
        for pool in POOLS:
            if pool not in known:
                events.set_concurrency_slots(pool, 1)


def address(settings: "Settings") -> str:
    """The database with `SCHEMA` as the place of all names; holds the password."""
    tls = {name.removeprefix("PG").lower(): value for name, value in connections.libpq(settings).items()}
    return get_conn_string(
        scheme="postgresql+psycopg2",  # said outright, as SQLAlchemy 2.1 takes another driver by itself
        username=settings.postgres_user,
        password=settings.postgres_password.get_secret_value(),
        hostname=settings.postgres_host,
        port=str(settings.postgres_port),
        db_name=settings.postgres_database,
        params={"options": f"-csearch_path={SCHEMA}", "application_name": "dagster"} | tls,
    )
