"""A lake in a local folder and an instance of Dagster, for one test each."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from lakehouse.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An ephemeral instance whose temporary folder goes with the test."""
    with tempfile.TemporaryDirectory() as folder:
        yield dg.DagsterInstance.ephemeral(tempdir=folder)
