"""What the stream writes into InfluxDB and PostgreSQL, and the limits that it judges by."""

import dagster as dg

from orchestration.defs.stream.topics import ANOMALY
from orchestration.metadata import column_lineage, same_columns, table_schema

_GROUP, _OWNERS = "stream", ["team:sensorlake-operations"]
_POSTGRES_ANOMALIES = "postgres/stream/anomalies"

OUTLETS = [
    dg.AssetSpec(
        dg.AssetKey(["influxdb", "sensor_metrics"]),
        deps=["readings", "features"],
        description="Readings (window=raw) and features as points, for dashboards. A point's identity is its tags and "
        "time, so writing one again changes nothing.",
        group_name=_GROUP,
        owners=_OWNERS,
        kinds={"influxdb"},
        metadata={"dagster/table_name": "sensor_metrics", "dagster/uri": "influxdb://sensors/sensor_metrics"},
    ),
    dg.AssetSpec(
        dg.AssetKey(["influxdb", "sensor_anomalies"]),
        deps=[dg.AssetKey.from_user_string(ANOMALY)],
        description="Every anomaly as a point at the time of its reading.",
        group_name=_GROUP,
        owners=_OWNERS,
        kinds={"influxdb"},
        metadata={"dagster/table_name": "sensor_anomalies", "dagster/uri": "influxdb://sensors/sensor_anomalies"},
    ),
    dg.AssetSpec(
        dg.AssetKey.from_user_string(_POSTGRES_ANOMALIES),
        deps=[dg.AssetKey.from_user_string(ANOMALY)],
        description="Every anomaly, once by id, in partitions of a month; the source of the reports.",
        group_name=_GROUP,
        owners=_OWNERS,
        kinds={"postgres"},
        metadata={
            "dagster/column_schema": table_schema("anomaly"),
            "dagster/column_lineage": column_lineage(same_columns("anomaly", ANOMALY)),
            "dagster/table_name": "stream.anomalies",
        },
    ),
    dg.AssetSpec(
        dg.AssetKey(["stream", "limits"]),
        deps=["thresholds"],
        description="The limits in force: the stream takes each published version of `thresholds` over within a minute "
        "and judges the next readings by it. From here the way leads back to the topic of anomalies.",
        group_name=_GROUP,
        owners=_OWNERS,
        kinds={"json"},
        metadata={
            "leads_back_to": dg.MetadataValue.asset(dg.AssetKey.from_user_string(ANOMALY)),
            "dagster/column_lineage": column_lineage(
                {
                    name: {"thresholds": [name]}
                    for name in ("device_id", "metric", "lower", "upper", "mean", "stddev", "z_limit", "version")
                }
            ),
        },
    ),
]
