"""Lines to InfluxDB.

1. write the batch in requests of _LINES lines      a crash in between: some points are there
2. Spark commits the offsets                        a crash before: the batch is written again, and each point, having
                                                    the same measurement, tags and time, replaces itself
"""

from collections.abc import Iterator

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from urllib3 import Retry

from sensorlake.settings import Settings
from streaming.line_protocol import line, number, text

ANOMALIES = "sensor_anomalies"
_LINES = 5000
_MILLISECONDS = 20_000


class InfluxSink:
    """Writes the column `line` of a batch."""

    def __init__(self, settings: Settings) -> None:
        self._bucket = settings.influxdb_bucket
        self._client = InfluxDBClient(
            url=settings.influxdb_url,
            token=settings.influxdb_token.get_secret_value(),
            org=settings.influxdb_org,
            timeout=_MILLISECONDS,
            enable_gzip=False,
            retries=Retry(total=3, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504), allowed_methods=None),
        )

    def write(self, lines: DataFrame) -> None:
        api = self._client.write_api(write_options=SYNCHRONOUS)
        for block in _blocks(lines):
            api.write(bucket=self._bucket, record=block)


def anomaly_line() -> Column:
    """An anomaly as a line of `sensor_anomalies`."""
    tags = {name: F.col(name) for name in ("detector", "device_id", "metric", "severity")}
    fields = {
        "value": number(F.col("value")),
        "score": number(F.col("score")),
        "threshold": number(F.col("threshold")),
        "anomaly_id": text(F.col("anomaly_id")),
    }
    return line(ANOMALIES, tags, fields, F.col("event_time"))


def _blocks(lines: DataFrame) -> Iterator[bytes]:
    column = lines.select("line").toArrow()["line"]
    for start in range(0, len(column), _LINES):
        yield "\n".join(column.slice(start, _LINES).to_pylist()).encode()
