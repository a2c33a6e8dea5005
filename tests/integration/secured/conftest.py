"""The secured installation that these tests share."""

from collections.abc import Iterator

import pytest

from sensorlake.settings import Settings
from tests.integration.secured import installation


@pytest.fixture(scope="package")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Its settings, as the operator has them."""
    with installation.stack(tmp_path_factory.mktemp("secured")) as settings:
        yield settings
