"""What the run left behind, destination by destination, compared with what was expected."""

from collections.abc import Collection

import pyarrow as pa  # type: ignore[import-untyped]

from benchmarks.comparison import Comparison, compare
from benchmarks.lake_files import LakeFiles
from benchmarks.observers.influxdb import InfluxQuery
from lakehouse.postgres import connect
from lakehouse.tables import READINGS
from sensorlake.settings import Settings

_MINUTE_MICROS = 60_000_000
_ALERTS = "select anomaly_id from stream.anomalies where not starts_with(detector, 'learned_')"


def compare_all(
    settings: Settings,
    files: LakeFiles | None,
    *,
    queries: Collection[str],
    readings: pa.ChunkedArray,
    anomalies: dict[str, int],
    alerts: list[str],
) -> dict[str, Comparison]:
    """By destination, of those that `queries` write: delta (readings), alerts (the anomaly topic), postgres, influxdb,
    delta_anomalies.

    Args:
        files: the lake, which the queries lake and anomalies write.
        readings: every expected reading id.
        anomalies: event time (microseconds) by expected anomaly id.
        alerts: every anomaly id of the topic, repeats included.
    """
    found: dict[str, Comparison] = {}
    if "lake" in queries and files is not None:
        found["delta"] = compare(readings, files.column(READINGS, "reading_id").cast(pa.string()))
    return found | compare_alerts(settings, files, queries=queries, anomalies=anomalies, alerts=alerts)


def compare_alerts(
    settings: Settings,
    files: LakeFiles | None,
    *,
    queries: Collection[str],
    anomalies: dict[str, int],
    alerts: list[str],
) -> dict[str, Comparison]:
    """As `compare_all`, without the readings."""
    if "alerts" not in queries or not anomalies:
        return {}
    names = _column(list(anomalies))
    since = min(anomalies.values()) - _MINUTE_MICROS
    found = {"alerts": compare(names, _column(alerts))}
    if "postgres" in queries:
        connection = connect(settings, "sensorlake-bench")
        try:
            rows = [row[0] for row in connection.run(_ALERTS)]
        finally:
            connection.close()
        found["postgres"] = compare(names, _column(rows))
    if "influxdb" in queries:
        found["influxdb"] = compare(names, _column(InfluxQuery(settings).ids(since)))
    if "anomalies" in queries and files is not None:
        found["delta_anomalies"] = compare(names, files.alerts().cast(pa.string()))
    return found


def _column(ids: list[str]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(ids, pa.string())])
