"""The checks on tables that hold one day after the other.

Those of the stream's tables have a schedule of their own, as no run of Dagster writes them; they judge the day that is
not over. Those of Dagster's run with the asset, on the partition just written: where a blocking one fails, nothing is
made of it.
"""

import dagster as dg

from expectations import anomalies, dead_letters, enriched_readings, features, readings, trends
from orchestration.defs.lake.partitions import days
from orchestration.gx import checks_for

# What they find wrong stands in the lake already, and no run can take it back: nothing to block.
readings_checks = checks_for("readings", readings.SUITE, today=True, blocking=False)
dead_letters_checks = checks_for("dead_letters", dead_letters.SUITE, today=True, blocking=False)
features_checks = checks_for("features", features.SUITE, today=True, blocking=False)
anomalies_checks = checks_for("anomalies", anomalies.SUITE, today=True, blocking=False)

enriched_readings_checks = checks_for("enriched_readings", enriched_readings.SUITE, partitions_def=days())
trends_checks = checks_for("trends", trends.SUITE, partitions_def=days())

stream_quality = dg.define_asset_job(
    "stream_quality",
    selection=dg.AssetSelection.checks_for_assets("readings", "dead_letters", "features", "anomalies"),
    description="Check what the stream wrote today.",
)
stream_quality_hourly = dg.ScheduleDefinition(
    name="stream_quality_hourly",
    job=stream_quality,
    cron_schedule="40 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour, off the full hour at which other work starts.",
)
