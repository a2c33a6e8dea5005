"""The asset `trends`: figures by hour, day, week and month."""

from typing import Any

import dagster as dg

from orchestration.automation import BY_MORNING, checks_hold_up, when_inputs_change
from orchestration.defs.lake.partitions import day_of, days
from orchestration.metadata import table_schema
from orchestration.outages import reachable_lake, tried_again
from orchestration.resources.installation import Installation
from orchestration.resources.spark import Spark

# A day is compared with the day before, and a gap may begin there.
_DAY_BEFORE = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True)


@dg.asset(
    partitions_def=days(),
    deps=["enriched_readings", dg.AssetDep("trends", partition_mapping=_DAY_BEFORE)],
    group_name="lake",
    owners=["team:sensorlake-data"],
    kinds={"spark", "deltalake"},
    pool="trends",
    automation_condition=when_inputs_change(besides="trends") & ~checks_hold_up(),
    freshness_policy=BY_MORNING,
    metadata={"dagster/column_schema": table_schema("trend"), "dagster/table_name": "trends"},
)
def trends(context: dg.AssetExecutionContext, installation: Installation, spark: Spark) -> dg.MaterializeResult[Any]:
    """Count, mean, deviation, quantiles, extremes, anomaly rate and gaps of each device and metric, by hour and day,
    and of the week and the month that the day lies in, from their days. Each is compared with the period before.

    One commit replaces them all.
    """
    from lakehouse import retention  # noqa: PLC0415  imports Arrow
    from lakehouse.tables import ENRICHED_READINGS, TRENDS  # noqa: PLC0415
    from orchestration.transforms import daily  # noqa: PLC0415  Spark takes seconds to import

    day = day_of(context.partition_key)
    with tried_again(context), reachable_lake(installation) as lake:
        retention.require_kept(lake, installation.settings, ENRICHED_READINGS, TRENDS, day)
        written = daily.write_trends(spark.spark_session, lake, day)
    return dg.MaterializeResult(metadata=written.metadata | {"dagster/partition_row_count": written.rows})
