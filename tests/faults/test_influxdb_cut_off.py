"""InfluxDB is killed in the midst of an entry of its log of writes: what it confirms afterwards outlives the next
kill."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX, Settings
from stack import supervisor_config
from stack.up import bring_down, bring_up
from tests.faults.stream.life import down

pytestmark = pytest.mark.integration

# An entry of 4,096 bytes of which 50 were written.
CUT_OFF = b"\x01\x00\x00\x10\x00" + bytes(50)
FIRST = 1_700_000_000_000_000_000


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Settings]]:
    for variable in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(variable)
    settings = settings_module.load(tmp_path / "data")
    try:
        yield lambda: bring_up(settings, ["influxdb"])
    finally:
        bring_down(settings)


def post(settings: Settings, path: str, body: str, **headers: str) -> str:
    with urllib3.PoolManager(timeout=20.0, retries=False) as pool:
        token = settings.influxdb_token.get_secret_value()
        answer = pool.request(
            "POST",
            f"{settings.influxdb_url}{path}?org={settings.influxdb_org}&bucket={settings.influxdb_bucket}",
            body=body.encode(),
            headers={"Authorization": f"Token {token}", **headers},
        )
    assert answer.status in (200, 204), answer.data
    return answer.data.decode()


def write(settings: Settings, first: int, how_many: int) -> None:
    lines = (f"cut,device=x value={number} {FIRST + number}" for number in range(first, first + how_many))
    post(settings, "/api/v2/write", "\n".join(lines))


def count(settings: Settings) -> int:
    flux = f'from(bucket: "{settings.influxdb_bucket}") |> range(start: 0) |> count() |> keep(columns: ["_value"])'
    types = {"Content-Type": "application/vnd.flux", "Accept": "application/csv"}
    return int(post(settings, "/api/v2/query", flux, **types).split()[-1].rpartition(",")[2])


def kill(settings: Settings, meanwhile: Callable[[], None] = lambda: None) -> None:
    with down(settings, "influxdb"):
        meanwhile()
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib3.PoolManager(timeout=2.0, retries=False) as pool:
                assert pool.request("GET", f"{settings.influxdb_url}/health").status == 200
                return
        except (urllib3.exceptions.HTTPError, AssertionError):
            assert time.monotonic() < deadline, "influxdb does not come back"
            time.sleep(0.1)


def found_after_two_kills(settings: Settings) -> int:
    def cut_off() -> None:
        (last,) = (settings.data_dir / "influxdb" / "engine" / "wal").glob("*/*/*/*.wal")
        with last.open("ab") as file:
            file.write(CUT_OFF)

    write(settings, 0, 100)
    kill(settings, cut_off)
    write(settings, 100, 100)
    assert count(settings) == 200
    kill(settings)
    return count(settings)


def test_what_is_written_after_a_cut_off_entry_survives_the_next_kill(servers: Callable[[], Settings]) -> None:
    assert found_after_two_kills(servers()) == 200


def test_without_a_new_file_it_would_be_lost(
    servers: Callable[[], Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, with InfluxDB started as it comes."""
    render = supervisor_config.render
    wrapper = f"{sys.executable} -m stack.influxdb_start {tmp_path / 'data' / 'influxdb' / 'engine'} "
    monkeypatch.setattr(supervisor_config, "render", lambda *given: render(*given).replace(wrapper, ""))
    assert found_after_two_kills(servers()) == 100
