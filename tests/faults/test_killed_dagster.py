"""Dagster is killed while it works: its daemon in the middle of a sensor's tick, its web server, the process of a run
between the writing of a day's files and their commit. No day is ever half of the old and half of the new, nothing is
asked for twice, and the next tick goes on."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from lakehouse import registry
from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES, ENRICHED_READINGS, READINGS
from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX, Settings
from stack import leftovers
from stack.up import bring_down, bring_up
from tests.daily.dagster_pages import DagsterPages
from tests.faults.day import DAY, Reports, files_of_no_version, noon, pid_of, wait_until
from tests.faults.forwarder import Forwarder
from tests.orchestration.rows import read, write

pytestmark = [pytest.mark.integration, pytest.mark.long]

SENSOR = "changed_days"
STATES = """select status from dagster.runs where run_id in (
    select run_id from dagster.run_tags where key = 'dagster/sensor_name' and value = :sensor)"""
REQUESTED = """select value from dagster.run_tags asked where key = 'dagster/run_key' and not exists (
    select 1 from dagster.run_tags again where again.run_id = asked.run_id and again.key = 'dagster/parent_run_id')"""
"""What sensors have asked for; runs that Dagster tries again bear the same key."""


# The daemon, and the web server.


def kill(settings: Settings, program: str) -> None:
    """`kill -9`; its supervisor starts it again."""
    before = pid_of(settings, program)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: pid_of(settings, program) not in (0, before))


def test_a_web_server_that_is_killed_comes_back_and_the_run_never_notices(quiet_dagster: Settings) -> None:
    reports = Reports.outdated(quiet_dagster)
    with reports.held_up() as run:
        kill(quiet_dagster, "dagster")
        wait_until(lambda: reports.pages.states(run) == {run: "STARTED"})
    wait_until(lambda: reports.pages.states(run) == {run: "SUCCESS"})
    assert reports.loaded() == {"device_days": 3, "device_hours": 3}


def test_a_daemon_that_is_killed_within_a_tick_asks_for_each_day_once_and_the_run_goes_on(
    quiet_dagster: Settings,
) -> None:
    """The tick has asked for one of its days when the daemon dies, and a run is under way."""
    reports = Reports.outdated(quiet_dagster)
    days = [DAY - timedelta(days=number) for number in (1, 2)]
    for day in days:
        write(reports.lake, READINGS, [noon(second - 86_400 * (DAY - day).days) for second in (0, 60)])
    for table in (ANOMALIES, ENRICHED_READINGS):
        write(reports.lake, table, [])
    long_ago = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    waiting = {day.isoformat(): [long_ago, long_ago] for day in days}
    version = reports.lake.open(READINGS).version()
    cursor = json.dumps({"version": version, "waiting": waiting, "today": None})
    try:
        with reports.held_up() as run, reports.connected() as observer:
            known = Counter(key for (key,) in observer.run(REQUESTED))

            def requested() -> Counter[str]:
                return Counter(key for (key,) in observer.run(REQUESTED)) - known

            reports.pages.begin_asking(SENSOR, cursor)
            deadline = time.monotonic() + 120
            while not requested():  # no pause: the next request comes within milliseconds
                assert time.monotonic() < deadline, "the sensor asks for nothing"
            kill(quiet_dagster, "dagster-daemon")
            at_its_death = requested()
            print(f"the daemon died after {sum(at_its_death.values())} requests")  # noqa: T201  the account of a test
            after = time.time()
            wait_until(lambda: [tick for tick in done(reports.pages) if tick["timestamp"] > after] != [])
            assert reports.pages.states(run) == {run: "STARTED"}
            seen = f"{version}-{reports.lake.open(ANOMALIES).version()}"
            keys = {f"{day.isoformat()}-{seen}" for day in days} | {f"{DAY.isoformat()}-{seen}-compared"}
            assert requested() == Counter(keys)
            assert at_its_death < requested(), "it died when it had asked for all: try another moment"
    finally:
        reports.pages.stop_asking()
    wait_until(lambda: reports.pages.states(run) == {run: "SUCCESS"})
    assert reports.loaded() == {"device_days": 3, "device_hours": 3}
    expected = dict.fromkeys(days, 2)
    wait_until(lambda: rows_a_day(reports.lake) == expected, 600)


def done(pages: DagsterPages) -> list[dict[str, object]]:
    return [tick for tick in pages.ticks(SENSOR) if tick["status"] in ("SUCCESS", "SKIPPED")]


def ended(reports: Reports) -> bool:
    """All runs that the sensor asked for have come to their good end."""
    with reports.connected() as connection:
        states = {state for (state,) in connection.run(STATES, sensor=SENSOR)}
    assert not states & {"FAILURE", "CANCELED"}
    return states == {"SUCCESS"}


def rows_a_day(lake: Lake) -> dict[object, int]:
    """Different readings of each of the days that were asked for."""
    if lake.find(ENRICHED_READINGS) is None:
        return {}
    rows = read(lake, ENRICHED_READINGS)
    found = Counter(row["event_date"] for row in rows if row["event_date"] < DAY)
    assert len({row["reading_id"] for row in rows}) == len(rows)
    return dict(found)


# The process of a run.


@dataclass(frozen=True)
class Forwarded:
    """A Dagster whose way to the storage leads over a forwarder; the settings are of those who go straight there."""

    settings: Settings
    forwarder: Forwarder

    @property
    def lake(self) -> Lake:
        return Lake.of(self.settings)


@pytest.fixture(scope="module")
def forwarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forwarded]:
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(variable)
        settings = settings_module.load(tmp_path_factory.mktemp("forwarded") / "data")
        try:
            ready = bring_up(settings, ["minio", "postgres"], furnish=registry.migrate)
            forwarder = Forwarder(urlsplit(ready.s3_endpoint).port or 0)
            with pytest.MonkeyPatch.context() as way:
                way.setenv(PREFIX + "S3_ENDPOINT", f"http://127.0.0.1:{forwarder.port}")
                bring_up(settings, ["dagster"])
            DagsterPages(ready).stop_asking()
            yield Forwarded(ready, forwarder)
            forwarder.close()
        finally:
            bring_down(settings)
            assert leftovers.find(settings.data_dir) == []


@dataclass(frozen=True)
class Day:
    """What readers may see of the day, by its ids: `old`, what it holds, or `new`, what a run makes of it."""

    old: Counter[str]
    new: Counter[str]

    def of(self, lake: Lake) -> Counter[str]:
        return Counter(row["reading_id"] for row in read(lake, ENRICHED_READINGS) if row["event_date"] == DAY)

    @contextmanager
    def watched(self, lake: Lake) -> Iterator[list[Counter[str]]]:
        """A reader who looks all the time: everything else that it sees."""
        half: list[Counter[str]] = []
        ended = threading.Event()

        def look() -> None:
            while not ended.is_set():
                if (seen := self.of(lake)) not in (self.old, self.new):
                    half.append(seen)

        reader = threading.Thread(target=look)
        reader.start()
        try:
            yield half
        finally:
            ended.set()
            reader.join()


@pytest.fixture
def day(forwarded: Forwarded) -> Day:
    """It was worked through with two readings, and has three by now."""
    lake = forwarded.lake
    old, new = [noon(0), noon(60)], [noon(0), noon(60), noon(120)]
    for table, rows in ((READINGS, new), (ENRICHED_READINGS, old)):
        write(lake, table, [])
        lake.open(table).delete()
        write(lake, table, rows)
    write(lake, ANOMALIES, [])
    return Day(*(Counter(row["reading_id"] for row in rows) for rows in (old, new)))


def process_of_run(settings: Settings) -> psutil.Process:
    """The one that the server with the code has started, and Java with it."""
    server = psutil.Process(pid_of(settings, "dagster-code"))
    (found,) = [
        child for child in server.children() if any(each.name() == "java" for each in child.children(recursive=True))
    ]
    return found


@pytest.mark.parametrize("victim", ["the run", "its Java"])
def test_a_run_that_is_killed_between_the_files_and_the_commit_leaves_the_old_day_and_is_tried_again(
    forwarded: Forwarded, day: Day, victim: str
) -> None:
    settings, lake, pages = forwarded.settings, forwarded.lake, DagsterPages(forwarded.settings)
    family: list[psutil.Process] = []

    def strike() -> None:
        run = process_of_run(settings)
        java = [process for process in run.children(recursive=True) if process.name() == "java"]
        family.extend([run, *java] if victim == "the run" else java)
        for process in [run] if victim == "the run" else java:
            process.kill()

    before = set(files_of_no_version(lake))
    with day.watched(lake) as half:
        forwarded.forwarder.strike(b"PUT /lake/enriched_readings/_delta_log/", strike)
        run = pages.launch("enriched_readings", DAY.isoformat(), checks=False)
        try:
            wait_until(forwarded.forwarder.struck.is_set)
            wait_until(lambda: not any(process.is_running() for process in family))
            left = set(files_of_no_version(lake)) - before
            assert any(f"event_date={DAY}" in path for path in left), "it was killed before it wrote"
            assert day.of(lake) == day.old
        finally:
            forwarded.forwarder.reopen()
        wait_until(lambda: "SUCCESS" in pages.states(run).values())
        assert day.of(lake) == day.new
    assert half == []
    assert sorted(pages.states(run).values()) == ["FAILURE", "SUCCESS"]


# That the reader can see a half.

IN_TWO_COMMITS = """
from lakehouse.lake import Lake
from lakehouse.tables import ENRICHED_READINGS
from sensorlake import settings
from tests.faults.day import DAY, noon
from tests.orchestration.rows import write

lake = Lake.of(settings.load())
lake.open(ENRICHED_READINGS).delete(f"event_date = '{DAY}'")
write(lake, ENRICHED_READINGS, [noon(0), noon(60), noon(120)])
"""


def test_a_day_that_is_deleted_and_then_written_would_be_caught(forwarded: Forwarded, day: Day) -> None:
    """The same death, of a run that replaces the day in two commits."""
    chosen = {
        PREFIX + "DATA_DIR": str(forwarded.settings.data_dir),
        PREFIX + "S3_ENDPOINT": f"http://127.0.0.1:{forwarded.forwarder.port}",
    }
    command = [sys.executable, "-c", IN_TWO_COMMITS]
    writer = subprocess.Popen(command, env=os.environ | chosen, cwd=Path(__file__).parents[2])
    forwarded.forwarder.strike(b"PUT /lake/enriched_readings/event_date", writer.kill)
    with day.watched(forwarded.lake) as half:
        try:
            assert writer.wait(60) == -signal.SIGKILL
            wait_until(lambda: half != [], 30)
        finally:
            forwarded.forwarder.reopen()
    assert day.of(forwarded.lake) == Counter()
