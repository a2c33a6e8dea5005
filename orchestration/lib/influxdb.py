"""InfluxDB's own upkeep: how long points stay, and the task that keeps hourly figures of those that go.

1. retention of the bucket of readings       raw_retention_days
2. the bucket `<bucket>_hourly`              made if it is missing; feature_retention_days
3. the task `<bucket> hourly`                made if it is missing, replaced if its text is another one

Each step looks first and changes only what differs, so that a run that was cut off is completed by the next one.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from influxdb_client import Bucket, BucketRetentionRules, InfluxDBClient, TaskCreateRequest, TaskUpdateRequest
from influxdb_client.client.bucket_api import BucketsApi
from influxdb_client.client.tasks_api import TasksApi
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from sensorlake import connections
from sensorlake.errors import StackError
from sensorlake.settings import Settings

_DAY = 86_400
_MILLISECONDS = 30_000
# Each hour is computed so many times, for readings that come late; the points replace themselves.
_HOURS_AGAIN = 6


def hourly_bucket(settings: Settings) -> str:
    return f"{settings.influxdb_bucket}_hourly"


def task_name(settings: Settings) -> str:
    return f"{settings.influxdb_bucket} hourly"


def flux(settings: Settings) -> str:
    """The task: mean, least, greatest value and count of the readings of each hour, at the hour's end.

    `now()` is the moment for which a run was planned, so that a run made up for later computes the same.
    """
    name, source, target = (
        _quoted(text) for text in (task_name(settings), settings.influxdb_bucket, hourly_bucket(settings))
    )
    parts = "\n".join(
        f"readings |> aggregateWindow(every: 1h, fn: {function}, createEmpty: false)\n"
        f'    |> set(key: "_field", value: "{function}") |> set(key: "window", value: "hour")\n'
        f"    |> to(bucket: {target})\n"
        for function in ("mean", "min", "max", "count")
    )
    return f"""import "date"

option task = {{name: {name}, every: 1h, offset: 5m}}

end = date.truncate(t: now(), unit: 1h)
readings = from(bucket: {source})
    |> range(start: date.sub(d: {_HOURS_AGAIN}h, from: end), stop: end)
    |> filter(fn: (r) => r._measurement == "sensor_metrics" and r._field == "value" and r.window == "raw")

{parts}"""


def ensure(settings: Settings) -> list[str]:
    """Bring buckets and task to what the settings say; what was changed, a sentence each.

    Raises:
        StackError: InfluxDB does not answer, or the token may not do this.
    """
    with _client(settings) as client:
        return [
            *_ensure_bucket(client.buckets_api(), settings, settings.influxdb_bucket, settings.raw_retention_days),
            *_ensure_bucket(client.buckets_api(), settings, hourly_bucket(settings), settings.feature_retention_days),
            *_ensure_task(client.tasks_api(), settings),
        ]


def shard_seconds(days: int) -> int:
    """Points go a shard at a time; InfluxDB's own choice of its length for a retention of `days`."""
    if days < 2:
        return 3600
    return _DAY if days <= 180 else 7 * _DAY


def _ensure_bucket(api: BucketsApi, settings: Settings, name: str, days: int) -> Iterator[str]:
    rule = BucketRetentionRules(
        type="expire", every_seconds=days * _DAY, shard_group_duration_seconds=shard_seconds(days)
    )
    found = _bucket(api, settings, name)
    if found is None:
        api.create_bucket(bucket_name=name, org=settings.influxdb_org, retention_rules=rule)
        yield f"bucket {name} made, keeps {days} days"
    elif [each.every_seconds for each in found.retention_rules] != [days * _DAY]:
        found.retention_rules = [rule]
        api.update_bucket(found)
        yield f"bucket {name} now keeps {days} days"


def _bucket(api: BucketsApi, settings: Settings, name: str) -> Bucket | None:
    # Not find_bucket_by_name: it looks in every organisation that the token sees.
    try:
        found = api.find_buckets(name=name, org=settings.influxdb_org).buckets
    except ApiException as error:
        if error.status != 404:
            raise
        return None
    return found[0] if found else None


def _ensure_task(api: TasksApi, settings: Settings) -> Iterator[str]:
    name, wanted = task_name(settings), flux(settings)
    found = [task for task in api.find_tasks(name=name, org=settings.influxdb_org) if task.name == name]
    if not found:
        request = TaskCreateRequest(org=settings.influxdb_org, flux=wanted, status="active")
        api.create_task(task_create_request=request)
        yield f"task {name} made"
    elif found[0].flux != wanted:
        api.update_task_request(found[0].id, TaskUpdateRequest(flux=wanted))
        yield f"task {name} brought up to date"


@contextmanager
def _client(settings: Settings) -> Iterator[InfluxDBClient]:
    token = settings.influxdb_token.get_secret_value()
    try:
        with InfluxDBClient(
            url=settings.influxdb_url,
            token=token,
            org=settings.influxdb_org,
            timeout=_MILLISECONDS,
            ssl_ca_cert=connections.certificates(settings),
        ) as client:
            yield client
    except ApiException as error:
        allowed = "the token must be allowed to change buckets and tasks; " if error.status in (401, 403) else ""
        raise StackError(
            f"InfluxDB at {settings.influxdb_url} refuses upkeep: {error.status} {error.reason}: {_message(error)} "
            f"({allowed}see SENSORLAKE_INFLUXDB_TOKEN and SENSORLAKE_INFLUXDB_ORG)"
        ) from None
    except HTTPError as error:
        raise StackError(
            f"InfluxDB does not answer at {settings.influxdb_url} ({error}); start it with `sensorlake up`, or set "
            "SENSORLAKE_INFLUXDB_URL"
        ) from None


def _message(error: ApiException) -> str:
    """What the server said, without the headers of its answer."""
    try:
        return str(json.loads(error.body)["message"])
    except (KeyError, TypeError, ValueError):
        return "no reason given"


def _quoted(text: str) -> str:
    """A string of Flux."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${") + '"'
