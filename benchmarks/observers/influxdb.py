"""When each alert is first in the answer to a query of InfluxDB."""

from datetime import UTC, datetime

import orjson
import urllib3

from benchmarks.errors import BenchmarkError
from benchmarks.observers.watch import Watch
from edge.pacing import Clock
from sensorlake.settings import Settings

MEASUREMENT = "sensor_anomalies"
# Points are asked for from this long before the newest one seen: the topic's partitions may be apart.
_APART_MICROS = 10_000_000


class InfluxQuery:
    """Anomaly ids and times by one HTTP request: the client library's own objects would cost ten times the query."""

    def __init__(self, settings: Settings) -> None:
        self._bucket = settings.influxdb_bucket
        self._url = f"{settings.influxdb_url}/api/v2/query?org={settings.influxdb_org}"
        token = settings.influxdb_token.get_secret_value()
        self._headers = {"Authorization": f"Token {token}", "Content-Type": "application/json", "Accept": "text/csv"}
        self._pool = urllib3.PoolManager(timeout=60.0, retries=False)

    def ids(self, since: int) -> list[str]:
        """The ids of the alerts whose event time is `since` (microseconds) or later."""
        start = datetime.fromtimestamp(since / 1e6, UTC).isoformat().replace("+00:00", "Z")
        flux = (
            f'from(bucket: "{self._bucket}") |> range(start: {start}, stop: 2100-01-01T00:00:00Z) '
            f'|> filter(fn: (r) => r._measurement == "{MEASUREMENT}" and r._field == "anomaly_id") '
            "|> filter(fn: (r) => r.detector !~ /^learned_/) "
            '|> keep(columns: ["_value"])'
        )
        dialect = {"header": False, "annotations": [], "delimiter": ","}
        body = orjson.dumps({"query": flux, "type": "flux", "dialect": dialect})
        answer = self._pool.request("POST", self._url, body=body, headers=self._headers)
        if answer.status != 200:
            raise BenchmarkError(f"InfluxDB answered {answer.status}: {answer.data[:300]!r}")
        lines = answer.data.decode().splitlines()
        return [line.rpartition(",")[2] for line in lines if line]


class InfluxWatch(Watch):
    """`seen`: microseconds of the first sight by anomaly id."""

    name = "influxdb"
    every = 0.2

    def __init__(self, settings: Settings, clock: Clock, due: dict[str, int], start: int) -> None:
        super().__init__()
        self.seen: dict[str, int] = {}
        self._clock = clock
        self._due = due
        self._newest = start
        self._query = InfluxQuery(settings)

    def look(self) -> None:
        ids = self._query.ids(self._newest - _APART_MICROS)
        now = self._clock.now()
        for name in ids:
            if name not in self.seen:
                self.seen[name] = now
                self._newest = max(self._newest, self._due.get(name, 0))
