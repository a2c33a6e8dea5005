"""Lines to InfluxDB.

1. write the batch in requests of 20,000 lines      a crash in between: some points are there
2. Spark commits the offsets                        a crash before: the batch is written again, and each point, having
                                                    the same measurement, tags and time, replaces itself

Points older than the bucket keeps are refused, those beside them in the request are stored; a query that begins anew
meets such points in the lake, which keeps its days longer, and goes on.
"""

import pyarrow as pa
import structlog
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3 import Retry

from sensorlake import connections
from sensorlake.settings import Settings
from streaming.line_protocol import Column, lines, number, text

log = structlog.get_logger(__name__)

ANOMALIES = "sensor_anomalies"
_LINES = 20_000
_MILLISECONDS = 20_000


class InfluxSink:
    """Writes lines, in requests of 20,000."""

    def __init__(self, settings: Settings) -> None:
        self._bucket = settings.influxdb_bucket
        self._client = InfluxDBClient(
            url=settings.influxdb_url,
            token=settings.influxdb_token.get_secret_value(),
            org=settings.influxdb_org,
            timeout=_MILLISECONDS,
            enable_gzip=False,
            ssl_ca_cert=connections.certificates(settings),
            retries=Retry(total=3, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504), allowed_methods=None),
        )

    def write(self, lines: Column) -> None:
        api = self._client.write_api(write_options=SYNCHRONOUS)
        for start in range(0, len(lines), _LINES):
            block = "\n".join(lines.slice(start, _LINES).to_pylist()).encode()
            try:
                api.write(bucket=self._bucket, record=block)
            except ApiException as error:
                if not _is_about_age_alone(error):
                    raise
                log.warning("points past the bucket's retention were left out", bucket=self._bucket)


def anomaly_lines(anomalies: pa.Table) -> Column:
    """Anomalies as lines of `sensor_anomalies`."""
    tags = {name: anomalies[name] for name in ("detector", "device_id", "metric", "severity")}
    fields = {name: number(anomalies[name]) for name in ("value", "score", "threshold")}
    fields["anomaly_id"] = text(anomalies["anomaly_id"])
    return lines(ANOMALIES, tags, fields, anomalies["event_time"])


def _is_about_age_alone(error: ApiException) -> bool:
    return error.status == 422 and "outside retention policy" in str(error.body)
