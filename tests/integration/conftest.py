"""What several modules share, as each start of it takes half a minute: a stream that is watched live, and a Dagster
that runs nothing by itself."""

import os
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from lakehouse import registry
from orchestration.watching.query_health import WRITES
from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX, Settings
from stack import leftovers
from stack.up import bring_down, bring_up

pytest.register_assert_rewrite("tests.integration.dagster_pages", "tests.integration.deployment")

from tests.integration.dagster_pages import DagsterPages  # noqa: E402  assertions are rewritten from here on
from tests.integration.deployment import Deployment  # noqa: E402


@pytest.fixture(scope="session")
def deployment(stack_settings, tmp_path_factory):
    return Deployment(stack_settings, tmp_path_factory.mktemp("deployment"))


@pytest.fixture(scope="session")
def life(deployment):
    """The stream that runs now; whatever the tests leave behind is ended with the session."""
    current = SimpleNamespace(stream=deployment.start())
    try:
        deployment.wait_for("all queries", current.stream, lambda: deployment.queries().keys() >= WRITES.keys())
        yield current
    finally:
        if current.stream.poll() is None:
            current.stream.kill()
            current.stream.wait(30)


@pytest.fixture(scope="session")
def quiet_dagster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """MinIO, PostgreSQL and Dagster in a folder of their own, with sensors and schedules switched off."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(variable)
        settings = settings_module.load(tmp_path_factory.mktemp("quiet") / "data")
        try:
            ready = bring_up(settings, ["minio", "postgres", "dagster"], furnish=registry.migrate)
            DagsterPages(ready).stop_asking()
            yield ready
        finally:
            bring_down(settings)
            assert leftovers.find(settings.data_dir) == []
