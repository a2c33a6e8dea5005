"""A day in Dagster's hands that a test breaks in upon: its reports, and a run that a lock holds up in the middle."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake
from pg8000 import exceptions
from pg8000.native import Connection

from lakehouse import creation
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.postgres import connect
from lakehouse.tables import ENRICHED_READINGS, TRENDS
from orchestration.transforms import facts_of_day
from sensorlake.settings import Settings
from stack import supervisor
from stack.layout import Layout
from tests.daily.dagster_pages import DagsterPages
from tests.orchestration.rows import reading

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
DAY = NOON.date()
HELD_UP = "select 1 from pg_stat_activity where application_name = 'sensorlake-facts' and wait_event_type = 'Lock'"


def wait_until(condition: Callable[[], bool], seconds: float = 300, seen: Callable[[], Any] | None = None) -> None:
    """`seen` says what is there instead, should the time pass."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s; there is {seen() if seen else 'no more to say'}"
        time.sleep(0.2)


def pid_of(settings: Settings, program: str) -> int:
    return supervisor.processes(Layout.of(settings))[program].pid


def noon(seconds: float) -> dict[str, Any]:
    """A reading so long after noon of the day."""
    return reading((NOON - reading(0)["event_time"]).total_seconds() + seconds)


def files_of_no_version(lake: Lake) -> list[str]:
    """What runs wrote to `enriched_readings` and did not commit."""
    import boto3  # noqa: PLC0415  only these tests ask the storage itself

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


class Reports:
    """The day in `facts`, and runs of `reporting_facts` that a lock holds up between two of its tables."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lake = Lake.of(settings)
        self.pages = DagsterPages(settings)

    @classmethod
    def outdated(cls, settings: Settings) -> "Reports":
        """Of a day that was loaded with two readings, and has three by now."""
        made = cls(settings)
        made.sum_up(2)
        facts_of_day.load(settings, made.lake, DAY)
        assert made.loaded() == {"device_days": 2, "device_hours": 2}
        made.sum_up(3)
        return made

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
            wait_until(lambda: self.pages.states(run) == {run: "STARTED"}, seen=lambda: self.pages.said(run))
            wait_until(lambda: bool(observer.run(HELD_UP)))
            yield run
