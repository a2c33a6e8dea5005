"""The tree of the release before, for all tests that start from what it wrote."""

import os
from collections.abc import Iterator

import pytest

from sensorlake.settings import PREFIX
from tests.faults.upgrade.previous import Previous, extracted


@pytest.fixture(scope="package")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Previous:
    return extracted(tmp_path_factory.mktemp("previous"))


@pytest.fixture(autouse=True)
def no_settings() -> Iterator[None]:
    """Those of whoever runs the tests are not meant for them."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(variable)
        yield
