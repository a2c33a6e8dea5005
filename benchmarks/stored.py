"""What the run left behind, destination by destination, compared with what was expected."""

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
    files: LakeFiles,
    *,
    readings: pa.ChunkedArray,
    anomalies: dict[str, int],
    alerts: list[str],
) -> dict[str, Comparison]:
    """By destination: delta (readings), alerts (the anomaly topic), postgres, influxdb, delta_anomalies.

    Args:
        readings: every expected reading id.
        anomalies: event time (microseconds) by expected anomaly id.
        alerts: every anomaly id of the topic, repeats included.
    """
    names = _column(list(anomalies))
    since = min(anomalies.values()) - _MINUTE_MICROS
    connection = connect(settings, "sensorlake-bench")
    try:
        rows = [row[0] for row in connection.run(_ALERTS)]
    finally:
        connection.close()
    return {
        "delta": compare(readings, files.column(READINGS, "reading_id").cast(pa.string())),
        "alerts": compare(names, _column(alerts)),
        "postgres": compare(names, _column(rows)),
        "influxdb": compare(names, _column(InfluxQuery(settings).ids(since))),
        "delta_anomalies": compare(names, files.alerts().cast(pa.string())),
    }


def _column(ids: list[str]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(ids, pa.string())])
