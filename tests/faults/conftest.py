"""The faults need the same Dagster as the tests of daily work, and a disk that can be filled."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daily.conftest import quiet_dagster

__all__ = ["quiet_dagster"]

from tests.faults.disks import Disk, Disks


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """One for a test alone, on the folder `data`."""
    disks = Disks()
    if disks.why_not is not None:
        pytest.skip(disks.why_not)
    disks.mount("data", tmp_path / "data")
    yield disks["data"]
    disks.close()
