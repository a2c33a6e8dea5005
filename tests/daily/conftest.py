"""A Dagster that runs nothing by itself, for all tests of daily work: its start takes half a minute. It ends with the
last of them."""

import os
from collections.abc import Iterator

import pytest

from lakehouse import registry
from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX, Settings
from stack import leftovers
from stack.up import bring_down, bring_up
from tests.daily.dagster_pages import DagsterPages


@pytest.fixture(scope="package")
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
