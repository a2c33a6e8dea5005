"""The asset `data_quality_report`: the findings and totals of each day in the table `quality`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from orchestration.defs.lake.partitions import day_of, days
from orchestration.metadata import table_schema
from orchestration.outages import reachable_lake, tried_again
from orchestration.resources.installation import Installation

if TYPE_CHECKING:
    from orchestration.day_report import DayReport


def when_a_day_was_made() -> dg.AutomationCondition[dg.AssetKey]:
    """A tick after a day of Dagster's tables was written, in a run of its own: a blocking check that fails there must
    not keep the report from telling. The stream's tables change every few seconds and do not count."""
    made = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.newly_updated())
    made = made.allow(dg.AssetSelection.assets("enriched_readings", "trends"))
    waiting = ~dg.AutomationCondition.any_deps_in_progress() & ~dg.AutomationCondition.in_progress()
    return (made.since_last_handled() & waiting).with_label("when a day was made")


@dg.asset(
    partitions_def=days(),
    deps=["readings", "dead_letters", "features", "anomalies", "enriched_readings", "trends"],
    group_name="quality",
    owners=["team:sensorlake-data"],
    kinds={"deltalake"},
    pool="quality",
    automation_condition=when_a_day_was_made(),
    metadata={"dagster/column_schema": table_schema("quality_result"), "dagster/table_name": "quality"},
)
def data_quality_report(context: dg.AssetExecutionContext, installation: Installation) -> dg.MaterializeResult[Any]:
    """Every check of every table on one day, and the day's totals: messages, dead letters by reason, duplicates, late
    readings, active and silent devices, gaps.

    One commit replaces the day in the table `quality`. What fails is recorded, not raised: the checks hold runs up,
    the report tells.
    """
    from lakehouse import retention  # noqa: PLC0415  imports Arrow
    from lakehouse.tables import QUALITY, READINGS  # noqa: PLC0415
    from orchestration import day_report, evidence  # noqa: PLC0415  Great Expectations takes seconds to import

    settings, now = installation.settings, datetime.now(UTC)
    with tried_again(context), reachable_lake(installation) as lake:
        retention.require_kept(lake, settings, READINGS, QUALITY, day_of(context.partition_key))
        devices = evidence.registered_devices(settings)
        report = day_report.judge(lake, devices, day_of(context.partition_key), now, settings.lateness_seconds)
        rows = day_report.write(lake, report, now)
    warnings = len(report.failed) - len(report.errors)
    context.log.info(f"{len(report.findings)} checks: {len(report.errors)} errors, {warnings} warnings")
    return dg.MaterializeResult(metadata=_metadata(report, rows))


def _metadata(report: "DayReport", rows: int) -> dict[str, Any]:
    return {
        "dagster/partition_row_count": rows,
        "checks": len(report.findings),
        "errors": len(report.errors),
        "warnings": len(report.failed) - len(report.errors),
        "findings": dg.MetadataValue.md(markdown(report)),
        "totals": dg.MetadataValue.json({f"{each.table}.{each.name}": each.value for each in report.totals}),
    }


def markdown(report: "DayReport") -> str:
    """The findings as a table; those that failed stand first."""
    from orchestration.day_report import as_rows  # noqa: PLC0415

    found = as_rows(report.findings)
    names = list(found[0]) if found else ["check"]
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(_cell(row[name]) for name in names) + " |" for row in found]
    return "\n".join(lines)


def _cell(value: object) -> str:
    """A bar would end the cell."""
    return (f"{value:,}" if isinstance(value, int) else str(value)).replace("|", "\\|")
