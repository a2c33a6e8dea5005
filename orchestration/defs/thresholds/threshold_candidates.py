"""The asset `threshold_candidates`: the limits that the next version may bring."""

from typing import Any

import dagster as dg

from orchestration.automation import LIVE_VERSION
from orchestration.metadata import column_lineage, table_schema
from orchestration.outages import reachable_lake, tried_again
from orchestration.resources.installation import Installation

_RULES, _FEEDBACK = "postgres/registry/alert_rules", "postgres/registry/feedback"
_LINEAGE = column_lineage(
    {
        "device_id": {"baselines": ["device_id"], _RULES: ["device_id"]},
        "metric": {"baselines": ["metric"], _RULES: ["metric"]},
        "mean": {"baselines": ["centre"]},
        "stddev": {"baselines": ["spread"]},
        "z_limit": {_RULES: ["z_limit"], _FEEDBACK: ["verdict"], "baselines": ["low", "high", "centre", "spread"]},
        "lower": {_RULES: ["lower"]},
        "upper": {_RULES: ["upper"]},
        "unit": {_RULES: ["unit"]},
    }
)


@dg.asset(
    deps=[
        "baselines",
        dg.AssetKey(["postgres", "registry", "alert_rules"]),
        dg.AssetKey(["postgres", "registry", "feedback"]),
    ],
    group_name="thresholds",
    owners=["team:sensorlake-operations"],
    kinds={"numpy", "deltalake"},
    pool="threshold_candidates",
    metadata={
        "dagster/column_schema": table_schema("threshold_candidate"),
        "dagster/column_lineage": _LINEAGE,
        "dagster/table_name": "threshold_candidates",
    },
)
def threshold_candidates(context: dg.AssetExecutionContext, installation: Installation) -> dg.MaterializeResult[Any]:
    """Limits from the baselines, the registry's rules where there is none, and those set by hand; each beside the live
    one, with the alarms that it would have raised in the last day. Alarms that operators acknowledged as false are not
    raised again."""
    from orchestration.learning import refresh  # noqa: PLC0415  imports Arrow and numpy

    with tried_again(context), reachable_lake(installation) as lake:
        if asked_at := context.run.tags.get(LIVE_VERSION):
            refresh.require_no_rollback(lake, int(asked_at))
        rules, verdicts = installation.alert_rules(), installation.verdicts()
        return dg.MaterializeResult(metadata=refresh.write_candidates(lake, installation.settings, rules, verdicts))
