"""What every test may ask for: the local servers, started once for the whole session."""

import os
import threading
from collections.abc import Iterator

import pytest
import structlog

from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX, Settings

# Modules of the tests that assert something without being tests, before any of them is imported.
pytest.register_assert_rewrite(
    "tests.daily.dagster_pages",
    "tests.faults.disks",
    "tests.faults.stream.accounts",
    "tests.faults.upgrade.upgrade",
    "tests.integration.stream.deployment",
)

# Java's second compiler pays off after minutes, which no test runs; without it Spark's tests take half the time.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")
# Most tests speak to servers in the open; those of secured ones say so themselves.
os.environ.pop("SECURE", None)


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """A test that runs a command's `main` sends logs to a standard error that ends with the test."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()


@pytest.fixture(autouse=True)
def nothing_follows_on() -> Iterator[None]:
    """A thread that is within deltalake while Python ends brings the process down, once all tests have passed."""
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("follows ")] == []


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """One session for all tests, as a process can have no other: two cores, the product's settings and jars, the
    decoder registered; tables lie in local folders."""
    from sensorlake.commands.spark import open_session  # noqa: PLC0415 - only these tests pay for Spark

    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(variable)
        own = settings_module.load(tmp_path_factory.mktemp("spark"))
        made = open_session(own.model_copy(update={"spark_driver_memory": "1g"}), cores=2)
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="session")
def stack_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of a Kafka, MinIO, PostgreSQL and InfluxDB of this session's own, in a folder that goes with it.

    Tests share the servers: use topic prefixes, buckets, schemas and measurements of your own. Ports are free ones:
    a stack that runs on this machine already is not touched.
    """
    from stack import selection, up  # noqa: PLC0415 - only tests that need servers pay for their clients

    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(variable)
        own = settings_module.load(tmp_path_factory.mktemp("stack"))
        try:
            yield up.bring_up(own, selection.servers(os.environ))
        finally:
            up.bring_down(own)
