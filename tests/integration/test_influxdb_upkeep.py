"""InfluxDB's retention and hourly figures on a real server."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import dagster as dg
import pyarrow as pa
import pytest
from influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from pydantic import SecretStr
from sqlalchemy import text

from lakehouse import registry
from lakehouse.registry import database
from orchestration.defs.maintenance import servers
from orchestration.lib import influxdb
from orchestration.resources.installation import Installation
from sensorlake.errors import StackError
from sensorlake.settings import PREFIX, Settings
from streaming.sinks.influxdb import InfluxSink

pytestmark = pytest.mark.integration


@pytest.fixture
def hour() -> datetime:
    """The start of the hour that now lies in, once at least a minute of it is left: what follows must end within it."""
    deadline = time.monotonic() + 90
    while (now := datetime.now(UTC)).minute == 59:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return now.replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def own(stack_settings: Settings) -> Settings:
    """A bucket of this test's own, with a name that Flux must not take for an expression."""
    return stack_settings.model_copy(update={"influxdb_bucket": f"keep ${{x}} {uuid4().hex[:8]}"})


@pytest.fixture
def client(own: Settings) -> Iterator[InfluxDBClient]:
    token = own.influxdb_token.get_secret_value()
    with InfluxDBClient(url=own.influxdb_url, token=token, org=own.influxdb_org) as made:
        yield made


def kept_days(client: InfluxDBClient, name: str) -> list[float]:
    (bucket,) = client.buckets_api().find_buckets(name=name).buckets
    return [rule.every_seconds / 86_400 for rule in bucket.retention_rules]


def tasks(client: InfluxDBClient, own: Settings) -> list:
    return [task for task in client.tasks_api().find_tasks() if task.name == influxdb.task_name(own)]


def test_what_is_missing_is_made_what_differs_is_changed_and_the_rest_left_alone(own, client) -> None:
    assert len(influxdb.ensure(own)) == 3
    assert influxdb.ensure(own) == []
    assert kept_days(client, own.influxdb_bucket) == [30]
    assert kept_days(client, influxdb.hourly_bucket(own)) == [365]
    changed = own.model_copy(update={"raw_retention_days": 1, "feature_retention_days": 400})
    assert len(influxdb.ensure(changed)) == 2
    assert influxdb.ensure(changed) == []
    assert kept_days(client, own.influxdb_bucket) == [1]
    assert kept_days(client, influxdb.hourly_bucket(own)) == [400]
    (task,) = tasks(client, own)
    client.tasks_api().update_task_request(task.id, {"flux": task.flux.replace("offset: 5m", "offset: 7m")})
    assert influxdb.ensure(changed) == [f"task {influxdb.task_name(own)} brought up to date"]
    assert [task.flux for task in tasks(client, own)] == [influxdb.flux(own)]


def line(value: float, at: datetime, window: str = "raw") -> str:
    tags = f"device_id=d,location=hall\\ 3,metric=temperature,window={window}"
    return f"sensor_metrics,{tags} value={value} {int(at.timestamp() * 1e9)}"


def run_task(client: InfluxDBClient, own: Settings) -> None:
    (task,) = tasks(client, own)
    api = client.tasks_api()
    started = api.run_manually(task.id)
    deadline, done = time.monotonic() + 60, None
    while done is None or done.status not in ("success", "failed"):
        assert time.monotonic() < deadline, done
        time.sleep(0.2)
        try:
            done = api.get_run(task.id, started.id)
        except ApiException as error:
            # Between its end and its entry in the log a run is unknown for a moment.
            assert error.status == 404, error  # noqa: PT017
    assert done.status == "success", api.get_run_logs(task.id, started.id)


def hourly(client: InfluxDBClient, own: Settings) -> dict:
    query = f'from(bucket: "{influxdb.hourly_bucket(own)}") |> range(start: -10d, stop: 1d)'.replace("${", "\\${")
    records = [record for table in client.query_api().query(query) for record in table.records]
    assert {record["window"] for record in records} <= {"hour"}
    assert {record["location"] for record in records} <= {"hall 3"}
    return {(record.get_time(), record.get_field()): record.get_value() for record in records}


def test_the_task_writes_mean_least_greatest_and_count_of_each_full_hour_once(own, client, hour) -> None:
    influxdb.ensure(own)
    last_hour, before = hour - timedelta(minutes=30), hour - timedelta(minutes=90)
    points = [
        *(line(value, before + timedelta(seconds=place)) for place, value in enumerate((1.0, 2.0, 6.0))),
        *(line(value, last_hour + timedelta(seconds=place)) for place, value in enumerate((10.0, 20.0))),
        line(999.0, last_hour, window="tumbling_1m"),  # no reading
        line(999.0, hour + timedelta(seconds=1)),  # of the hour that is not over
    ]
    InfluxSink(own).write(pa.chunked_array([pa.array(points)]))
    expected = {
        (hour - timedelta(hours=1), "mean"): 3.0,
        (hour - timedelta(hours=1), "min"): 1.0,
        (hour - timedelta(hours=1), "max"): 6.0,
        (hour - timedelta(hours=1), "count"): 3,
        (hour, "mean"): 15.0,
        (hour, "min"): 10.0,
        (hour, "max"): 20.0,
        (hour, "count"): 2,
    }
    for _ in range(2):
        run_task(client, own)
        assert hourly(client, own) == expected


def test_points_past_retention_are_left_out_and_those_beside_them_stored(own, client, hour) -> None:
    influxdb.ensure(own.model_copy(update={"raw_retention_days": 1}))
    points = [line(1.0, hour - timedelta(days=5)), line(2.0, hour - timedelta(minutes=5))]
    InfluxSink(own).write(pa.chunked_array([pa.array(points)]))
    query = f'from(bucket: "{own.influxdb_bucket}") |> range(start: -10d)'.replace("${", "\\${")
    assert [record.get_value() for table in client.query_api().query(query) for record in table.records] == [2.0]


def test_a_token_that_may_not_do_this_is_told_so(own) -> None:
    with pytest.raises(StackError, match="must be allowed to change buckets and tasks") as refused:
        influxdb.ensure(own.model_copy(update={"influxdb_token": SecretStr("do-not-tell")}))
    assert "do-not-tell" not in str(refused.value)


def test_a_server_that_does_not_answer_is_named(own) -> None:
    with pytest.raises(StackError, match=r"127\.0\.0\.1:9.*sensorlake up"):
        influxdb.ensure(own.model_copy(update={"influxdb_url": "http://127.0.0.1:9"}))


def test_the_nightly_job_does_it_and_sees_to_the_months_of_anomalies(own, client, hour, monkeypatch) -> None:
    registry.migrate(own)
    for field, value in own:
        plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        monkeypatch.setenv(PREFIX + field.upper(), str(plain))
    with dg.DagsterInstance.ephemeral() as instance:
        done = servers.maintain_servers.execute_in_process(
            instance=instance, resources={"installation": Installation()}
        )
    assert done.success
    assert kept_days(client, own.influxdb_bucket) == [30]
    with database.transaction(own) as connection:
        found = connection.execute(
            text("select inhrelid::regclass::text from pg_inherits where inhparent = 'stream.anomalies'::regclass")
        )
        months = {row[0] for row in found}
    next_month = (hour.replace(day=1) + timedelta(days=32)).strftime("%Y_%m")
    assert any(next_month in month for month in months), months
