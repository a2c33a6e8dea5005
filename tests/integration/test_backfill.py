"""A backfill over a range of days on real servers, as the button in Dagster's pages asks for it."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakehouse import registry
from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES, ENRICHED_READINGS, READINGS, TRENDS
from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX, Settings
from stack import http_probe, leftovers, ports
from stack.layout import Layout
from stack.up import bring_down, bring_up
from tests.orchestration.rows import read, reading, write

pytestmark = pytest.mark.integration

DAYS = 3
SECONDS = 300
_LAUNCH = """mutation launch($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_STATUS = (
    "query status($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """MinIO, PostgreSQL and Dagster, in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(variable)
        patch.setenv(PREFIX + "DATA_DIR", str(tmp_path_factory.mktemp("backfill") / "data"))
        own = settings_module.load()
        try:
            yield bring_up(own, ["minio", "postgres", "dagster"], furnish=registry.migrate)
        finally:
            bring_down(own)
            assert leftovers.find(own.data_dir) == []


def ask(settings: Settings, query: str, **variables: Any) -> dict[str, Any]:
    port = ports.read(Layout.of(settings).ports_file)["dagster"]
    body = {"query": query, "variables": variables}
    return http_probe.request(f"http://127.0.0.1:{port}/graphql", body=body)[1]["data"]


def backfill(settings: Settings, days: list[str]) -> None:
    """Launch one over `days`, and wait until it is complete."""
    params = {"assetSelection": [{"path": ["enriched_readings"]}, {"path": ["trends"]}], "partitionNames": days}
    launched = ask(settings, _LAUNCH, params=params)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        status = ask(settings, _STATUS, id=launched["backfillId"])["partitionBackfillOrError"]["status"]
        if status.startswith("COMPLETED"):
            assert status == "COMPLETED_SUCCESS"
            return
        assert status in ("REQUESTED", "CANCELING"), status
        time.sleep(1)
    raise AssertionError(f"the backfill is not complete after {SECONDS} s")


def test_a_range_of_days_is_worked_through_and_again_after_late_readings(installation: Settings) -> None:
    lake = Lake.of(installation)
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    seconds = (noon - reading(0)["event_time"]).total_seconds()

    def readings(offset: float) -> list[dict[str, Any]]:
        return [reading(seconds + 86_400 * day + offset, value=float(day)) for day in range(DAYS)]

    write(lake, READINGS, readings(0) + readings(60))
    write(lake, ANOMALIES, [])
    days = [(noon + timedelta(days=day)).date().isoformat() for day in range(DAYS)]
    backfill(installation, days)
    assert len(read(lake, ENRICHED_READINGS)) == 2 * DAYS
    write(lake, READINGS, [readings(120)[0]])
    backfill(installation, days[:1])
    counts = {
        row["event_date"].isoformat(): (row["count"], row["change"])
        for row in read(lake, TRENDS)
        if row["period"] == "day"
    }
    assert counts == {days[0]: (3, None), days[1]: (2, 1.0), days[2]: (2, 1.0)}
