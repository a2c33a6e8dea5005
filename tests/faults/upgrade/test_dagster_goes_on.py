"""A demo of the release before has learned limits, trained models, enriched a day and built the reports; today's
version is started on what it left, as docs/upgrading.md says. Each sensor reads its cursor, each asset keeps its past,
what was learned is in force, and the day, the models and the reports are made anew on top of it."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake.exceptions import DeltaError
from pyspark.sql import SparkSession

from lakehouse import thresholds
from lakehouse.lake import Lake
from lakehouse.models import registry
from lakehouse.models.store import ISOLATION_FOREST, LSTM_AUTOENCODER, ModelStore
from lakehouse.postgres import connect
from lakehouse.tables import ENRICHED_READINGS, READINGS
from orchestration.watching.query_health import WRITES
from sensorlake import settings as settings_module
from sensorlake.demo import plan
from sensorlake.demo.dagster_runs import OneRun
from sensorlake.errors import SensorlakeError
from sensorlake.settings import PREFIX, Settings
from stack import leftovers
from stack.up import bring_down
from tests.daily.dagster_pages import DagsterPages
from tests.daily.forest_in_stream import first_anomaly
from tests.daily.models_in_force import champion, served
from tests.faults.day import DAY, noon, wait_until
from tests.faults.stream.accounts import told
from tests.faults.upgrade.previous import VERSION, Previous
from tests.faults.upgrade.upgrade import todays, unusual_addresses
from tests.orchestration.rows import read, write

pytestmark = [pytest.mark.integration, pytest.mark.long]

MODELS = (ISOLATION_FOREST, LSTM_AUTOENCODER)
PATIENCE = 900.0
GOOD = ("SUCCESS", "SKIPPED")
COUNTS = {
    "anomalies": "select count(*) from stream.anomalies",
    "reported": "select coalesce(sum(anomalies), 0) from reporting.anomalies_by_model",
    "runs": "select count(*) from dagster.runs where status = 'SUCCESS'",
}


class Left:
    """What a demo of the release before has stored, and what was known at its end."""

    def __init__(self, previous: Previous, data: Path) -> None:
        self.data, self._log = data, data.parent / "demo.log"
        own = {PREFIX + "DATA_DIR": str(data)}
        self._demo = previous.start("demo", log=self._log, **unusual_addresses(), **own)
        try:
            self._wait("Dagster", lambda: DagsterPages(settings_module.load(data)).sensors())
            settings = settings_module.load(data)
            lake, pages = Lake.of(settings), DagsterPages(settings)
            self._wait("limits that were learned", lambda: thresholds.live(lake)[0].learned)
            self._wait("models in force", lambda: all(registry.champion(lake, name) for name in MODELS))
            write(lake, READINGS, [noon(second) for second in (0, 60)])
            run = pages.launch("enriched_readings", DAY.isoformat(), checks=True)
            self._wait("the day", lambda: pages.states(run).get(run) == "SUCCESS")
            previous.run("dbt", "build", **own)
            self.day = rows_of_day(lake)
            self.limits = thresholds.live(lake)[0].version
            self.past, self.cursors = pages.past(), {each["name"]: cursor(each) for each in pages.sensors()}
            self.counts = counts(settings)
        finally:
            self._demo.send_signal(signal.SIGINT)
            status = self._demo.wait(PATIENCE)
        assert status == 0, self._log.read_text("utf-8")
        told(
            f"version {VERSION}: {self.counts}, limits in version {self.limits}, {len(self.past)} assets with a past, "
            f"{len([each for each in self.cursors.values() if each])} sensors with a cursor"
        )

    def _wait(self, what: str, condition: Callable[[], object]) -> None:
        def met() -> bool:
            assert self._demo.poll() is None, self._log.read_text("utf-8")
            try:
                return bool(condition())
            except (SensorlakeError, DeltaError, OSError, KeyError):  # its server or table is not there yet
                return False

        wait_until(met, PATIENCE, lambda: f"not {what}; the demo says: {self._log.read_text('utf-8')[-3000:]}")


@pytest.fixture
def left(previous: Previous, tmp_path: Path) -> Iterator[Left]:
    print()  # noqa: T201  a line of its own for the account that follows
    data = tmp_path / "data"
    previous.complete()
    try:
        yield Left(previous, data)
    finally:
        bring_down(settings_module.load(data))
        assert leftovers.find(data) == []


def test_dagster_goes_on_where_that_of_the_release_before_ended(
    left: Left, spark: SparkSession, tmp_path: Path
) -> None:
    began = time.time()
    todays(left.data, "up", "--detach")
    todays(left.data, "stream", "--detach")
    settings = settings_module.load(left.data)
    lake, pages = Lake.of(settings), DagsterPages(settings)
    assert thresholds.live(lake)[0].version >= left.limits
    assert {name: champion(settings, name) for name in MODELS} == dict.fromkeys(MODELS, 1)
    wait_until(lambda: served(settings) == 1, 120, lambda: served(settings))
    wait_until(lambda: all_run(left), 180)
    told(f"today's version: servers, Dagster and all queries run {time.time() - began:.0f} s after the first command")

    past = pages.past()
    assert past.keys() >= left.past.keys()
    assert {name for name in left.past if not past[name]["definition"]} == set(), "assets that nobody makes any more"
    had_one = {name for name, found in left.cursors.items() if found}
    assert had_one <= {each["name"] for each in pages.sensors()}

    def ticked() -> dict[str, list[str]]:
        return {each["name"]: statuses_since(each, began) for each in pages.sensors() if each["name"] in had_one}

    wait_until(lambda: all(set(found) & set(GOOD) for found in ticked().values()), 300, ticked)
    assert {name for name, found in ticked().items() if "FAILURE" in found} == set()
    told(f"ticks from the cursors of {VERSION}: {ticked()}")

    model = first_anomaly(spark, settings, tmp_path / "stream")["model_version"]
    assert model == "1"
    told(f"the forest of {VERSION} rings, version {model}")

    write(lake, READINGS, [noon(120)])
    run = pages.launch("enriched_readings", DAY.isoformat(), checks=True)
    wait_until(lambda: pages.states(run).get(run) == "SUCCESS", PATIENCE, lambda: pages.said(run))
    assert [each["reading_id"] for each in rows_of_day(lake)][:-1] == [each["reading_id"] for each in left.day]
    assert rows_of_day(lake)[:-1] == left.day, "what was there is there once, as it was"

    training = OneRun(settings.dagster_port, "train_models", "after an upgrade")
    training.launch(plan.TRAINING, "a test")
    wait_until(lambda: is_over(training), PATIENCE, training.find)
    store = ModelStore.of(settings)
    assert {name: store.versions(name) for name in MODELS} == {name: [1, 2] for name in MODELS}
    told(f"trained anew: {[each.label + ' ' + each.role for each in registry.standings(lake)]}")

    todays(left.data, "dbt", "build")
    after = counts(settings)
    told(f"after it: {after}")
    assert {name for name, count in left.counts.items() if after[name] < count} == set()
    assert after["reported"] == after["anomalies"]


def all_run(left: Left) -> bool:
    queries = json.loads(todays(left.data, "status", "--json"))["queries"]
    return queries.keys() == WRITES.keys() and {each["state"] for each in queries.values()} == {"running"}


def is_over(training: OneRun) -> bool:
    found = training.find()
    assert not (found and found.is_over and not found.succeeded), found
    return bool(found and found.succeeded)


def rows_of_day(lake: Lake) -> list[dict[str, Any]]:
    return [row for row in read(lake, ENRICHED_READINGS, "event_time") if row["event_date"] == DAY]


def cursor(sensor: dict[str, Any]) -> str | None:
    return (sensor["sensorState"]["typeSpecificData"] or {}).get("lastCursor")


def statuses_since(sensor: dict[str, Any], began: float) -> list[str]:
    return [tick["status"] for tick in sensor["sensorState"]["ticks"] if tick["timestamp"] > began]


def counts(settings: Settings) -> dict[str, int]:
    connection = connect(settings, "test")
    try:
        return {name: int(connection.run(query)[0][0]) for name, query in COUNTS.items()}
    finally:
        connection.close()
