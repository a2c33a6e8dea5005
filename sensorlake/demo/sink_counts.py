"""Counts at the places where alerts and metrics end: PostgreSQL and InfluxDB."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

from influxdb_client.client.influxdb_client import InfluxDBClient

from lakehouse.postgres import connect
from sensorlake import connections
from sensorlake.settings import Settings

_SECONDS = 10


def postgres_anomalies(settings: Settings, since: float) -> int:
    """Rows of `stream.anomalies` about readings from `since` (seconds since 1970) on."""
    connection = connect(settings, "sensorlake-demo")
    try:
        found = connection.run(
            "SELECT count(*) FROM stream.anomalies WHERE event_time >= :since", since=datetime.fromtimestamp(since, UTC)
        )
        return int(found[0][0])
    finally:
        connection.close()


class InfluxCount:
    """Points from `since` (seconds since 1970) on; a point's time is that of its reading, or the end of its window."""

    def __init__(self, settings: Settings, since: float) -> None:
        self._settings = settings
        self._since = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def readings(self) -> int:
        return self._count('r._measurement == "sensor_metrics" and r.window == "raw" and r._field == "value"')

    def features(self) -> int:
        return self._count('r._measurement == "sensor_metrics" and r._field == "count"')

    def anomalies(self) -> int:
        return self._count('r._measurement == "sensor_anomalies" and r._field == "anomaly_id"')

    def _count(self, condition: str) -> int:
        """A field that every point of its kind has once stands for the point."""
        query = (
            f'from(bucket: "{self._settings.influxdb_bucket}") |> range(start: {self._since}, stop: 1h) '
            f"|> filter(fn: (r) => {condition}) |> count() |> group() |> sum()"
        )
        with self._client() as client:
            tables = client.query_api().query(query)
        return sum(int(record.values["_value"]) for table in tables for record in table.records)

    @contextlib.contextmanager
    def _client(self) -> Iterator[InfluxDBClient]:
        settings = self._settings
        client = InfluxDBClient(
            url=settings.influxdb_url,
            token=settings.influxdb_token.get_secret_value(),
            org=settings.influxdb_org,
            timeout=_SECONDS * 1000,
            ssl_ca_cert=connections.certificates(settings),
        )
        try:
            yield client
        finally:
            client.close()  # type: ignore[no-untyped-call]
