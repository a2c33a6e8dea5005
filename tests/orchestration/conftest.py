"""Small real tables in a local folder, and Spark for those tests that need it."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from lakehouse.lake import Lake
from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An ephemeral instance whose temporary folder goes with the test."""
    with tempfile.TemporaryDirectory() as folder:
        yield dg.DagsterInstance.ephemeral(tempdir=folder)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """As the assets open it: two cores, the settings for bounded work."""
    from lakehouse import session  # noqa: PLC0415  only these tests pay for Spark
    from stack import jars, java  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(variable)
        own = settings_module.load(tmp_path_factory.mktemp("spark")).model_copy(update={"spark_driver_memory": "1g"})
        made = session.build(own, jars.spark_classpath(), java.java_home(), cores=2, options=session.BOUNDED)
        try:
            yield made
        finally:
            made.stop()
