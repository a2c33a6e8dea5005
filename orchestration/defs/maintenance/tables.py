"""Upkeep of the Delta tables: one job a table that Dagster owns, one that looks at those of the stream.

A job a table, as a run holds the pools of all its steps from the start: one job for all would wait for a moment at
which nobody writes to any of them.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse.tables import TABLES, Owner, Table
from orchestration.metadata import delta_metadata
from orchestration.resources.installation import Installation
from orchestration.resources.storage import Storage

if TYPE_CHECKING:
    from deltalake import DeltaTable

# After the night's assets (orchestration/automation.py), in UTC.
HOUR, FIRST_MINUTE = 3, 10
TAGS = {"sensorlake/kind": "maintenance"}
# Tables whose asset has another name.
_ASSETS = {
    "quality": "data_quality_report",
    "training_sets": "training_set",
    "model_scores": "model_evaluation",
    "model_registry": "champion_model",
}


def _upkeep_of(table: Table) -> dg.JobDefinition:
    @dg.op(
        name=f"{table.name}_upkeep",
        pool=table.name,
        description=f"Drops days past retention, merges small files and vacuums the table `{table.name}`.",
    )
    def upkeep(context: dg.OpExecutionContext, installation: Installation, storage: Storage) -> None:
        from lakehouse import maintenance, retention  # noqa: PLC0415  imports delta-rs

        found = installation.lake.find(table)
        if found is None:
            context.log.info(f"table {table.name} does not exist yet: nothing to do")
            return
        keep_days = retention.kept_days(installation.settings).get(table.name)
        done = maintenance.maintain(found, table, keep_days, datetime.now(UTC).date())
        context.log.info(f"table {table.name}: {done}")
        stored = storage.stored(installation, table.name)
        context.log_event(_observation(found, table, done.as_dict() | stored))

    @dg.job(name=f"maintain_{table.name}", tags=TAGS | {"sensorlake/table": table.name})
    def job() -> None:
        upkeep()

    return job


@dg.op(description="Reads how the stream's tables lie on storage; the stream itself keeps them in order.")
def look_at_stream_tables(context: dg.OpExecutionContext, installation: Installation, storage: Storage) -> None:
    """Nothing is written: these tables have another owner."""

    for table in TABLES:
        if table.owner is Owner.STREAM and (found := installation.lake.find(table)) is not None:
            context.log_event(_observation(found, table, storage.stored(installation, table.name)))


@dg.job(tags=TAGS)
def observe_stream_tables() -> None:
    """Files, sizes, rows and versions of the tables that the stream writes."""
    look_at_stream_tables()


def _observation(found: "DeltaTable", table: Table, done: dict[str, int]) -> dg.AssetObservation:
    """On the page of the table's asset."""
    from lakehouse import maintenance  # noqa: PLC0415  imports delta-rs

    metadata = delta_metadata(found) | maintenance.shape(found, table).as_dict() | done
    return dg.AssetObservation(asset_key=_ASSETS.get(table.name, table.name), metadata=metadata)


JOBS = [_upkeep_of(table) for table in TABLES if table.owner is Owner.DAGSTER]
SCHEDULES = [
    dg.ScheduleDefinition(
        name=f"{job.name}_daily",
        job=job,
        cron_schedule=f"{FIRST_MINUTE + minute} {HOUR} * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    for minute, job in enumerate([*JOBS, observe_stream_tables])
]
