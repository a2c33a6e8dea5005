"""The asset `baselines`: what is usual for each metric of each device."""

from typing import Any

import dagster as dg

from orchestration.automation import NOT_OLD
from orchestration.metadata import column_lineage, table_schema
from orchestration.outages import reachable_lake, tried_again
from orchestration.resources.installation import Installation

_KEYS = {"device_id": {"features": ["device_id"]}, "metric": {"features": ["metric"]}}
_LINEAGE = column_lineage(
    _KEYS
    | {name: {"features": ["mean", "count"]} for name in ("centre", "between", "deciles", "hours", "mean")}
    | {name: {"features": ["mean", "stddev", "count"]} for name in ("spread", "stddev")}
    | {"within": {"features": ["stddev", "count"]}, "readings": {"features": ["count"]}}
    | {"min": {"features": ["min"]}, "low": {"features": ["min"]}, "max": {"features": ["max"]}}
    | {"high": {"features": ["max"]}, "steepest": {"features": ["rate_of_change"]}}
)


@dg.asset(
    deps=["features"],
    group_name="thresholds",
    owners=["team:sensorlake-operations"],
    kinds={"numpy", "deltalake"},
    pool="baselines",
    freshness_policy=NOT_OLD,
    metadata={
        "dagster/column_schema": table_schema("baseline"),
        "dagster/column_lineage": _LINEAGE,
        "dagster/table_name": "baselines",
    },
)
def baselines(context: dg.AssetExecutionContext, installation: Installation) -> dg.MaterializeResult[Any]:
    """Robust centre and spread, quantiles and shape over the day of each device and metric, learned from the windows of
    the last days (`SENSORLAKE_BASELINE_DAYS`). A level that has lasted is a new begin."""
    from orchestration.learning import refresh  # noqa: PLC0415  imports Arrow and numpy

    with tried_again(context), reachable_lake(installation) as lake:
        return dg.MaterializeResult(metadata=refresh.write_baselines(lake, installation.settings))
