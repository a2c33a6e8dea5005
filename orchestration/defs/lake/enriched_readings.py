"""The asset `enriched_readings`: a day's readings once by id, with what the registry knows of their devices."""

from typing import Any

import dagster as dg

from orchestration.automation import BY_MORNING, every_night
from orchestration.defs.lake.partitions import day_of, days
from orchestration.metadata import column_lineage, same_columns, table_schema
from orchestration.outages import reachable_lake, tried_again
from orchestration.resources.installation import Installation
from orchestration.resources.spark import Spark

_REGISTRY = ("devices", "device_configs", "maintenance", "ops_events")
_FROM_REGISTRY = {
    "model": {"postgres/registry/devices": ["model"]},
    "registered": {"postgres/registry/devices": ["device_id"]},
    "interval_seconds": {"postgres/registry/device_configs": ["interval_seconds"]},
    "firmware": {"postgres/registry/device_configs": ["firmware"]},
    "maintenance_kind": {"postgres/registry/maintenance": ["kind"]},
    "in_maintenance": {"postgres/registry/maintenance": ["started_at", "ended_at"]},
    "event_type": {"postgres/registry/ops_events": ["event_type"]},
    "anomalies": {"anomalies": ["anomaly_id"]},
    "location": {"readings": ["location"], "postgres/registry/devices": ["location"]},
    "delay_seconds": {"readings": ["received_at", "event_time"]},
}
_LINEAGE = column_lineage(same_columns("enriched_reading", "readings", without=[*_FROM_REGISTRY]) | _FROM_REGISTRY)


@dg.asset(
    partitions_def=days(),
    deps=["readings", "anomalies", *[dg.AssetKey(["postgres", "registry", name]) for name in _REGISTRY]],
    group_name="lake",
    owners=["team:sensorlake-data"],
    kinds={"spark", "deltalake"},
    pool="enriched_readings",
    automation_condition=every_night(),
    freshness_policy=BY_MORNING,
    metadata={
        "dagster/column_schema": table_schema("enriched_reading"),
        "dagster/column_lineage": _LINEAGE,
        "dagster/table_name": "enriched_readings",
    },
)
def enriched_readings(
    context: dg.AssetExecutionContext, installation: Installation, spark: Spark
) -> dg.MaterializeResult[Any]:
    """A day's readings, once by id, joined with model, configuration, maintenance and events of their devices.

    One commit replaces the day, so running it twice changes no figure and a run that dies leaves the day as it was.
    """
    from lakehouse import retention  # noqa: PLC0415  imports Arrow
    from lakehouse.tables import ENRICHED_READINGS, READINGS, TRENDS  # noqa: PLC0415
    from orchestration.transforms import daily, registry_facts  # noqa: PLC0415  Spark takes seconds to import

    day = day_of(context.partition_key)
    with tried_again(context), reachable_lake(installation) as lake:
        for made in (ENRICHED_READINGS, TRENDS):
            retention.require_kept(lake, installation.settings, READINGS, made, day)
        # Before Spark, which takes longer to start than to fail.
        facts = registry_facts.read(installation.settings, day)
        written = daily.write_enriched(spark.spark_session, lake, facts, day)
    return dg.MaterializeResult(metadata=written.metadata | {"dagster/partition_row_count": written.rows})
