"""A database of a test's own on the session's PostgreSQL, with the registry's tables and no contents."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pg8000.native
import pytest

from lakehouse import postgres, registry
from sensorlake.settings import Settings

Query = Callable[..., list[list[Any]]]


@pytest.fixture(scope="module")
def database(stack_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a migrated database that goes when the module's tests have ended; its devices are the tests' own."""
    from stack import credentials  # noqa: PLC0415  only where there is a stack

    name = f"reports_{uuid4().hex}"
    admin = pg8000.native.Connection(
        "postgres",
        password=credentials.ensure(stack_settings).postgres_admin_password,
        host=stack_settings.postgres_host,
        port=stack_settings.postgres_port,
        database="postgres",
    )
    try:
        admin.run(f"create database {name} owner {pg8000.native.identifier(stack_settings.postgres_user)}")
        folder = tmp_path_factory.mktemp("reports")
        own = stack_settings.model_copy(update={"postgres_database": name, "data_dir": folder})
        registry.migrate(own)
        connection = postgres.connect(own, "tests")
        connection.run("delete from registry.devices")
        connection.close()
        yield own
        admin.run(f"drop database {name} with (force)")
    finally:
        admin.close()


@pytest.fixture
def query(database: Settings) -> Iterator[Query]:
    """Runs a statement in the test's database; its rows."""
    connection = postgres.connect(database, "tests")
    try:
        yield lambda statement, **values: connection.run(statement, **values) or []
    finally:
        connection.close()
