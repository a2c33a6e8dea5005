"""The asset `reporting_facts`: what reports need of a day, in PostgreSQL."""

from typing import Any

import dagster as dg

from orchestration.defs.lake.partitions import day_of, days
from orchestration.outages import reachable_lake, tried_again
from orchestration.resources.installation import Installation

# Only what comes by day may ask for a day again. A new version of the thresholds, or a commit of the stream, would ask
# for every day that there is.
_TRENDS, _QUALITY = (dg.AssetSelection.assets(name) for name in ("trends", "data_quality_report"))


def _when_the_day_was_judged() -> dg.AutomationCondition[dg.AssetKey]:
    """Once for each change of the day: the report on its quality is the last that is made of it, and is made of a day
    whose checks held its trends up, too."""
    judged = dg.AutomationCondition.any_deps_updated().allow(_QUALITY)
    running = dg.AutomationCondition.any_deps_in_progress().allow(_TRENDS | _QUALITY)
    condition = judged.since_last_handled() & ~running & ~dg.AutomationCondition.in_progress()
    return condition.with_label("when the day was judged")


@dg.asset(
    partitions_def=days(),
    deps=["readings", "dead_letters", "enriched_readings", "trends", "data_quality_report", "thresholds"],
    group_name="reporting",
    owners=["team:sensorlake-data"],
    kinds={"postgres"},
    pool="reporting_facts",
    automation_condition=_when_the_day_was_judged(),
    metadata={"dagster/table_name": "facts.device_days"},
)
def reporting_facts(context: dg.AssetExecutionContext, installation: Installation) -> dg.MaterializeResult[Any]:
    """A day of the lake as the reports need it, in schema `facts` of PostgreSQL: figures of each device and metric, of
    each device and hour, of the day's messages and of its checks; and all versions of the thresholds.

    One transaction replaces the day in all tables, so running it twice changes no figure, and no report sees half of
    it. What is not in the lake yet counts as nothing. Where a check held the day's trends up, or its readings are past
    their retention, what was loaded of its devices before stays.
    """
    from orchestration.transforms import facts_of_day  # noqa: PLC0415  Arrow takes a second to import

    with tried_again(context), reachable_lake(installation) as lake:
        loaded = facts_of_day.load(installation.settings, lake, day_of(context.partition_key))
    if loaded["tables_missing"]:
        context.log.info(f"not in the lake yet: {', '.join(loaded['tables_missing'])}")
    if loaded["tables_kept"]:
        context.log.warning(f"as they were before, {loaded['why_kept']}: {', '.join(loaded['tables_kept'])}")
    return dg.MaterializeResult(metadata=loaded | {"dagster/partition_row_count": loaded["device_days"]})
