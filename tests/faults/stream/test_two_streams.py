"""A second stream is started by mistake: it is refused at once and says why, and the first never notices."""

import time
from pathlib import Path

import pytest

from sensorlake.errors import StreamError
from sensorlake.settings import Settings
from streaming.lease import Lease
from tests.faults.stream.life import Life
from tests.integration.stream.deployment import Deployment

pytestmark = pytest.mark.integration


def test_a_second_stream_on_the_same_checkpoints_is_refused(life: Life) -> None:
    refused(life, "another `sensorlake stream` runs on the checkpoints in")


def test_a_second_stream_on_the_same_tables_is_refused_whatever_its_checkpoints(life: Life, tmp_path: Path) -> None:
    refused(
        life, f"another `sensorlake stream` writes the tables in the lake {life.deployment.name}", data_dir=tmp_path
    )
    assert not (tmp_path / "checkpoints" / "lake").exists()


# The lease by itself.


def stream_on(servers: Settings, lake: str, checkpoints: Path) -> Lease:
    settings = servers.model_copy(update={"lake_bucket": lake, "data_dir": checkpoints})
    return Lease(settings, ["alerts", "lake"], every=0.2)


@pytest.fixture
def lake(own_servers: Settings, tmp_path: Path) -> str:
    return Deployment(own_servers, tmp_path).name


def test_a_lake_is_free_again_once_its_stream_has_ended(own_servers: Settings, lake: str, tmp_path: Path) -> None:
    first, second = (stream_on(own_servers, lake, tmp_path / name) for name in ("first", "second"))
    first.claim()
    with pytest.raises(StreamError, match="writes the tables in the lake"):
        second.claim()
    first.release()
    second.claim()
    second.release()


def test_a_stream_that_was_killed_goes_on_at_once(own_servers: Settings, lake: str, tmp_path: Path) -> None:
    killed, again = (stream_on(own_servers, lake, tmp_path / "same") for _ in range(2))
    killed.claim()
    again.claim()
    for lease in (killed, again):
        lease.release()


def test_one_that_is_silent_for_too_long_loses_its_lake_and_hears_of_it(
    own_servers: Settings, lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, other = (stream_on(own_servers, lake, tmp_path / name) for name in ("silent", "other"))
    silent.claim()
    monkeypatch.setattr("streaming.lease.FORGOTTEN_SECONDS", -5.0)  # any age is too old
    other.claim()
    monkeypatch.undo()
    deadline = time.monotonic() + 60
    while silent.refusal is None and other.refusal is None:
        assert time.monotonic() < deadline, "nobody notices that two write one lake"
        time.sleep(0.1)
    for lease in (silent, other):
        lease.release()


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
