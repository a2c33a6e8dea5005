"""A backfill over days on real servers, as the button in Dagster's pages asks for it, and again the one day whose
readings came late, as the sensor asks for it."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from lakehouse import changes
from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES, ENRICHED_READINGS, READINGS
from orchestration.defs.lake.sensors import changed_days
from orchestration.resources.installation import Installation
from sensorlake.settings import PREFIX, Settings
from tests.daily.dagster_pages import DagsterPages
from tests.orchestration.rows import read, reading, write

pytestmark = pytest.mark.integration

FIRST = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=5)
NOONS = [FIRST, FIRST + timedelta(days=1)]
DAYS = [noon.date().isoformat() for noon in NOONS]


def at(noon: datetime, seconds: float) -> dict[str, Any]:
    return reading((noon - reading(0)["event_time"]).total_seconds() + seconds)


def enriched(lake: Lake, day: datetime) -> list[dict[str, Any]]:
    return [row for row in read(lake, ENRICHED_READINGS, "event_time") if row["event_date"] == day.date()]


def wait_until(condition: Callable[[], bool], pages: DagsterPages, cause: str) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        states = pages.states(cause)
        assert "FAILURE" not in states.values(), [pages.said(run) for run in states]
        assert time.monotonic() < deadline, (states, pages.ask("{ instance { daemonHealth { id } } }"))
        time.sleep(0.3)


def asked_for(version: int) -> list[tuple[str | None, Any]]:
    """What the sensor asks for that has seen `version` of the readings, and for which the first day has waited."""
    long_ago = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    cursor = json.dumps({"version": version, "waiting": {DAYS[0]: [long_ago, long_ago]}, "today": None})
    with dg.build_sensor_context(cursor=cursor, resources={"installation": Installation()}) as context:
        result = changed_days(context)
    assert isinstance(result, dg.SensorResult), result
    return [(request.partition_key, request.asset_selection) for request in result.run_requests or ()]


def test_days_are_worked_through_and_one_again_after_late_readings(
    quiet_dagster: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PREFIX + "DATA_DIR", str(quiet_dagster.data_dir))
    lake, pages = Lake.of(quiet_dagster), DagsterPages(quiet_dagster)
    write(lake, READINGS, [at(noon, seconds) for noon in NOONS for seconds in (0, 60)])
    write(lake, ANOMALIES, [])

    backfill = pages.launch_backfill("enriched_readings", *DAYS)
    wait_until(lambda: [*pages.states(backfill).values()] == ["SUCCESS"] * 2, pages, backfill)
    before = [enriched(lake, noon) for noon in NOONS]
    assert [len(rows) for rows in before] == [2, 2]

    seen = changes.since(lake, READINGS, None).version
    late = at(FIRST, 120)
    write(lake, READINGS, [late])
    assert asked_for(seen) == [(DAYS[0], None), (DAYS[1], [dg.AssetKey("trends")])]

    run = pages.launch("enriched_readings", DAYS[0], checks=True)
    wait_until(lambda: pages.states(run).get(run) == "SUCCESS", pages, run)
    after = enriched(lake, FIRST)
    assert [row["reading_id"] for row in after] == [*(row["reading_id"] for row in before[0]), late["reading_id"]]
    assert after[:2] == before[0], "what was there is there once, as it was"
    assert enriched(lake, NOONS[1]) == before[1]
    checks = pages.checks("enriched_readings")
    assert set(checks.values()) <= {"SUCCEEDED", "FAILED"}, "each was asked"
    failed = {name for name, status in checks.items() if status == "FAILED"}
    assert failed == {"of_registered_devices"}, "the registry knows no device here"
    wait_until(lambda: pages.backfill(backfill)["status"] == "COMPLETED_SUCCESS", pages, backfill)
