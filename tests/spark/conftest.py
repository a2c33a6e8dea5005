"""One Spark session for the tests of this folder, made as the product makes it."""

import os
from collections.abc import Iterator

import pytest

from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX


def pytest_collection_modifyitems(items):
    for item in items:
        if "spark" in item.path.parts:
            item.add_marker(pytest.mark.spark)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """Two cores, the product's settings and jars, the decoder registered; tables lie in local folders."""
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
