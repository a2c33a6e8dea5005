"""A server or a run is killed in the middle of a materialization: what is wrong is said, the work goes on by itself,
and a day is never half of the old and half of the new."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg2
import pytest

from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES, ENRICHED_READINGS, READINGS
from sensorlake.settings import PREFIX, Settings
from stack import supervisor
from stack.up import bring_up
from tests.faults.day import DAY, Reports, files_of_no_version, noon, pid_of, wait_until
from tests.faults.forwarder import Forwarder
from tests.orchestration.rows import read, write

pytestmark = pytest.mark.integration


@pytest.fixture
def own(quiet_dagster: Settings) -> Settings:
    return quiet_dagster


# The storage.


@contextmanager
def materialization(settings: Settings, asset: str, endpoint: str, told: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A run of `asset` for the day in a process of its own, whose lines come in `told`."""
    command = [str(Path(sys.executable).with_name("dagster")), "asset", "materialize", "--select", asset]
    command += ["--partition", DAY.isoformat(), "-m", "orchestration.definitions"]
    chosen = {PREFIX + "DATA_DIR": str(settings.data_dir), PREFIX + "S3_ENDPOINT": endpoint}
    with subprocess.Popen(
        command, env=os.environ | chosen, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=told.extend, args=(process.stdout,))
        reader.start()
        try:
            yield process
        finally:
            process.kill()
            reader.join()


def test_storage_that_is_killed_at_the_commit_leaves_the_old_day_and_the_step_is_tried_again(own: Settings) -> None:
    lake = Lake.of(own)
    old, new = [noon(0), noon(60)], [noon(0), noon(60), noon(120)]
    write(lake, READINGS, new)
    write(lake, ANOMALIES, [])
    write(lake, ENRICHED_READINGS, old)

    def ids(rows: list[dict[str, Any]]) -> Counter[str]:
        return Counter(row["reading_id"] for row in rows if row["event_date"] == DAY)

    def kill() -> None:
        os.kill(pid_of(own, "minio"), signal.SIGKILL)
        supervisor.stop_program(own, "minio")  # its supervisor would start it again within a second

    told: list[str] = []
    storage = urlsplit(own.s3_endpoint)
    forwarder = Forwarder(storage.port or 0, b"PUT /lake/enriched_readings/_delta_log/", kill)
    endpoint = f"http://127.0.0.1:{forwarder.port}"
    try:
        with materialization(own, "enriched_readings", endpoint, told) as run:
            wait_until(lambda: forwarder.struck.is_set() or run.poll() is not None)
            assert forwarder.struck.is_set(), "".join(told)
            wait_until(lambda: any("tried again in" in line for line in told) or run.poll() is not None)
            (said,) = [line for line in told if "tried again in" in line]
            assert f"the lake's storage does not answer at {endpoint}" in said
            assert "Start it with `sensorlake up`" in said
            bring_up(own, ["minio"])
            assert any(f"event_date={DAY}" in path for path in files_of_no_version(lake)), (
                "it was killed before it wrote"
            )
            assert ids(read(lake, ENRICHED_READINGS)) == ids(old)
            forwarder.reopen()
            assert run.wait(300) == 0, "".join(told)
    finally:
        forwarder.close()
    assert ids(read(lake, ENRICHED_READINGS)) == ids(new)


# PostgreSQL, and the run itself.


@pytest.fixture
def reports(own: Settings) -> Reports:
    return Reports.outdated(own)


def answers(settings: Settings) -> bool:
    """By another driver: pg8000 leaves its socket open where a server that is starting refuses it."""
    try:
        psycopg2.connect(
            host=settings.postgres_host,
            port=settings.postgres_port,
            dbname=settings.postgres_database,
            user=settings.postgres_user,
            password=settings.postgres_password.get_secret_value(),
        ).close()
    except psycopg2.OperationalError:
        return False
    return True


def test_postgres_that_is_killed_between_two_tables_leaves_no_half_of_a_day(own: Settings, reports: Reports) -> None:
    with reports.held_up() as run:
        os.kill(pid_of(own, "postgres"), signal.SIGKILL)
    wait_until(lambda: answers(own))
    assert reports.loaded() == {"device_days": 2, "device_hours": 2}
    wait_until(lambda: "SUCCESS" in reports.pages.states(run).values())
    assert reports.loaded() == {"device_days": 3, "device_hours": 3}
    # Whose lock is let go first is chance: it may be one table further.
    words = f"PostgreSQL at 127.0.0.1:{own.postgres_port} went away while facts."
    wait_until(lambda: words in reports.pages.said(run))  # the web server finds out, too, that its connections are dead


def test_a_run_that_dies_with_its_server_is_found_and_tried_again(own: Settings, reports: Reports) -> None:
    with reports.held_up() as run:
        server = psutil.Process(pid_of(own, "dagster-code"))
        for process in (server, *server.children(recursive=True)):
            process.kill()
    assert reports.loaded() == {"device_days": 2, "device_hours": 2}
    wait_until(lambda: reports.pages.states(run).get(run) == "FAILURE")
    wait_until(lambda: "is gone" in reports.pages.said(run))
    wait_until(lambda: "SUCCESS" in reports.pages.states(run).values())
    assert reports.loaded() == {"device_days": 3, "device_hours": 3}
