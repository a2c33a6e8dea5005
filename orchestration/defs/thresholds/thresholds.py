"""The asset `thresholds`: the limits that the stream judges by."""

from typing import Any

import dagster as dg

from orchestration.automation import CAUSE, NOT_OLD
from orchestration.metadata import column_lineage, same_columns, table_schema
from orchestration.outages import reachable_lake
from orchestration.resources.installation import Installation

_OF_ITSELF = ("version", "published_at", "published_by")


class Publication(dg.Config):
    """Who publishes, and why; by default the run and what caused it."""

    by: str = ""
    why: str = ""


@dg.asset(
    deps=["threshold_candidates"],
    group_name="thresholds",
    owners=["team:sensorlake-operations"],
    kinds={"deltalake"},
    pool="thresholds",
    freshness_policy=NOT_OLD,
    metadata={
        "dagster/column_schema": table_schema("threshold"),
        "dagster/column_lineage": column_lineage(same_columns("threshold", "threshold_candidates", without=_OF_ITSELF)),
        "dagster/table_name": "thresholds",
    },
)
def thresholds(
    context: dg.AssetExecutionContext, installation: Installation, config: Publication
) -> dg.MaterializeResult[Any]:
    """The live version: published in one commit when the checks of the candidates have passed. The stream takes it over
    within a minute and stamps its number on every anomaly.

    `sensorlake thresholds` lists, compares, rolls back and sets limits by hand.
    """
    from orchestration.learning import refresh  # noqa: PLC0415  imports Arrow and numpy

    why = config.why or context.run.tags.get(CAUSE) or "asked for in Dagster"
    by = config.by or f"dagster run {context.run.run_id[:8]}"
    # Not tried again by itself: whether a version was published when the storage went away has to be looked at.
    with reachable_lake(installation) as lake:
        return dg.MaterializeResult(metadata=refresh.publish(lake, by=by, why=why, run=context.run.run_id))
