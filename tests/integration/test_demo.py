"""The demo as a user runs it: alone, ended by itself, told to end; nothing is left behind and its figures agree."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX, Settings
from stack import leftovers, status, supervisor, up

pytestmark = pytest.mark.integration

PROGRAM = [str(Path(sys.executable).with_name("sensorlake")), "demo"]
SECONDS = 480


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A data folder of this test's own; whatever still runs there afterwards is stopped."""
    for variable in [name for name in os.environ if name.startswith(PREFIX) or name in ("WITHOUT", "DEMO_SECONDS")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv(PREFIX + "DATA_DIR", str(tmp_path / "data"))
    settings = settings_module.load()
    yield settings
    up.bring_down(settings)


def test_a_demo_ends_by_itself_and_every_reading_has_its_place(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_SECONDS", "30")
    done = subprocess.run(PROGRAM, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert leftovers.find(own.data_dir) == []
    found = json.loads(done.stdout.splitlines()[-1].removeprefix("DEMO "))
    assert found["behind"] == []
    assert found["unacknowledged"] == 0
    assert found["seconds"] == pytest.approx(30, abs=5)
    assert found["valid"] + found["dead_letters"] + found["duplicates"] == found["readings_in"] > 10_000
    assert found["dead_letters"] > 0
    assert found["duplicates"] > 0
    assert found["delta_readings"] == found["valid"] == found["influx_readings"]
    assert found["delta_dead_letters"] == found["dead_letters"]
    anomalies = found["anomalies"]
    assert anomalies > 0
    assert found["postgres_anomalies"] == found["delta_anomalies"] == found["influx_anomalies"] == anomalies
    assert found["influx_points"] == found["influx_readings"] + found["influx_features"] + anomalies
    assert 0 < found["lake_freshness_s"]["p50"] <= found["lake_freshness_s"]["p95"]
    assert found["peak_rss_mb"] > 500


def test_ctrl_c_while_it_starts_leaves_nothing(own: Settings) -> None:
    with subprocess.Popen(PROGRAM, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert any("ready" in line for line in lines)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 130, rest
    assert "before any reading was sent" in rest
    assert leftovers.find(own.data_dir) == []


def test_a_stream_that_the_demo_did_not_start_goes_on_without_it(own: Settings) -> None:
    settings = up.bring_up(own, ["postgres"])
    supervisor.start_program(settings, "stream")
    done = subprocess.run(PROGRAM, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 1
    assert "which this demo did not start" in done.stderr
    assert status.status(settings)["services"]["postgres"]["state"] == "running"


def test_what_the_demo_needs_is_said_before_anything_starts(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WITHOUT", "postgres")
    done = subprocess.run(PROGRAM, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 1
    assert "postgres" in done.stderr
    assert "Traceback" not in done.stderr
    assert not own.data_dir.exists()
