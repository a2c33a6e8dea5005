"""A second stream is started by mistake: it is refused at once and says why, and the first never notices."""

import time
from pathlib import Path

import pytest

from tests.faults.stream.life import Life

pytestmark = pytest.mark.integration


def test_a_second_stream_on_the_same_checkpoints_is_refused(life: Life) -> None:
    refused(life, "another `sensorlake stream` runs on the checkpoints in")


def test_a_second_stream_on_the_same_tables_is_refused_whatever_its_checkpoints(life: Life, tmp_path: Path) -> None:
    refused(
        life, f"another `sensorlake stream` writes the tables in the lake {life.deployment.name}", data_dir=tmp_path
    )
    assert not (tmp_path / "checkpoints" / "lake").exists()


def refused(life: Life, why: str, **changes: object) -> None:
    began = time.monotonic()
    done = life.deployment.run("--queries", "lake,anomalies", **changes)
    life.tell(f"{time.monotonic() - began:.1f} s after its start the second one said: {done.stderr.strip()}")
    assert done.returncode == 1
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert life.stream is not None
    assert life.stream.poll() is None
    assert all(query["state"] == "running" for query in life.deployment.queries().values())
