"""Dagster's daemon and web server are killed while a run is under way: both come back, and the run goes on."""

import os
import signal

import pytest

from sensorlake.settings import Settings
from stack.services import dagster
from tests.faults.day import Reports, pid_of, wait_until

pytestmark = pytest.mark.integration


def test_a_run_goes_on_without_daemon_and_web_server_and_ends_once(quiet_dagster: Settings) -> None:
    reports = Reports.outdated(quiet_dagster)

    def said() -> tuple[dict[str, str], str]:
        return reports.pages.states(run), reports.pages.said(run)

    with reports.held_up() as run:
        before = {name: pid_of(quiet_dagster, name) for name in ("dagster-daemon", "dagster")}
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        for name, pid in before.items():
            wait_until(lambda name=name, pid=pid: pid_of(quiet_dagster, name) not in (0, pid))
        wait_until(lambda: reports.pages.states(run) == {run: "STARTED"}, seen=said)
    wait_until(lambda: reports.pages.states(run) == {run: "SUCCESS"}, seen=said)
    assert reports.loaded() == {"device_days": 3, "device_hours": 3}
    wait_until(lambda: dagster.daemon_is_healthy(quiet_dagster.dagster_port))
