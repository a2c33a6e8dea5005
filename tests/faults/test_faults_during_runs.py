"""A server or a run is killed in the middle of a materialization: what is wrong is said, the work goes on by itself,
and a day is never half of the old and half of the new."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg2
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pg8000 import exceptions
from pg8000.native import Connection

from lakehouse import creation
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.postgres import connect
from lakehouse.tables import ANOMALIES, ENRICHED_READINGS, READINGS, TRENDS
from orchestration.transforms import facts_of_day
from sensorlake.settings import PREFIX, Settings
from stack import supervisor
from stack.layout import Layout
from stack.up import bring_up
from tests.daily.dagster_pages import DagsterPages
from tests.faults.forwarder import Forwarder
from tests.orchestration.rows import read, reading, write

pytestmark = pytest.mark.integration

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
DAY = NOON.date()
HELD_UP = "select 1 from pg_stat_activity where application_name = 'sensorlake-facts' and wait_event_type = 'Lock'"


def wait_until(condition: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the deadline passed"
        time.sleep(0.2)


@pytest.fixture
def own(quiet_dagster: Settings) -> Settings:
    return quiet_dagster


def pid_of(settings: Settings, program: str) -> int:
    return supervisor.processes(Layout.of(settings))[program].pid


def noon(seconds: float) -> dict[str, Any]:
    """A reading so long after noon of the day."""
    return reading((NOON - reading(0)["event_time"]).total_seconds() + seconds)


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


def files_of_no_version(lake: Lake) -> list[str]:
    """What a run wrote and did not commit."""
    import boto3  # noqa: PLC0415  only this test asks the storage itself

    options = lake.options
    storage = boto3.client(
        "s3",
        endpoint_url=options["AWS_ENDPOINT_URL"],
        aws_access_key_id=options["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=options["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
    )
    found = storage.list_objects_v2(Bucket=lake.root.removeprefix("s3a://"), Prefix="enriched_readings/event_date")
    known = {path.partition("enriched_readings/")[2] for path in lake.open(ENRICHED_READINGS).file_uris()}
    return [each["Key"] for each in found["Contents"] if each["Key"].partition("/")[2] not in known]


# PostgreSQL, and the run itself.


class Reports:
    """The day in `facts`, and runs of `reporting_facts` that a lock holds up between two of its tables."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lake = Lake.of(settings)
        self.pages = DagsterPages(settings)

    def sum_up(self, count: int) -> None:
        """Have the lake say that so many readings came on the day."""
        at_midnight = NOON.replace(hour=0)
        figures = dict.fromkeys(("mean", "min", "p05", "p25", "p50", "p75", "p95", "max"), 20.0)
        row = {
            **{"device_id": "pump-1", "metric": "temperature", "unit": "°C", "count": count, "event_date": DAY},
            **{"stddev": 0.0, "anomalies": 0, "anomaly_rate": 0.0, "gaps": 0, "gap_seconds": 0.0},
            **{"first_at": NOON, "last_at": NOON},
        }
        rows = [
            row | figures | {"period": period, "period_start": start}
            for period, start in (("hour", NOON), ("day", at_midnight))
        ]
        table = pa.Table.from_pylist(rows, schema=arrow_schema(TRENDS.record))
        write_deltalake(creation.ensure(self.lake, TRENDS), table, mode="overwrite")

    def loaded(self) -> dict[str, int]:
        """How many readings the day has by each of the tables."""
        with self.connected() as connection:
            return {
                table: connection.run(f"select sum(readings) from facts.{table} where event_date = :day", day=DAY)[0][0]
                for table in ("device_days", "device_hours")
            }

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        connection = connect(self.settings, "test")
        try:
            yield connection
        finally:
            with contextlib.suppress(exceptions.Error, OSError):  # its server may be gone
                connection.close()

    @contextmanager
    def held_up(self) -> Iterator[str]:
        """A run that has written the first table and waits for the second; its id."""
        with self.connected() as holder, self.connected() as observer:
            holder.run("begin")
            holder.run("lock table facts.device_hours in exclusive mode")
            run = self.pages.launch("reporting_facts", DAY.isoformat(), checks=False)
            wait_until(lambda: bool(observer.run(HELD_UP)))
            yield run


@pytest.fixture
def reports(own: Settings) -> Reports:
    """A day that was loaded with two readings, and has three by now."""
    made = Reports(own)
    made.sum_up(2)
    facts_of_day.load(own, made.lake, DAY)
    assert made.loaded() == {"device_days": 2, "device_hours": 2}
    made.sum_up(3)
    return made


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
