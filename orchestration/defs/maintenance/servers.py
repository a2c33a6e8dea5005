"""Upkeep of the servers beside the lake: InfluxDB's retention and hourly figures, PostgreSQL's partitions by age."""

from datetime import UTC, datetime

import dagster as dg

from orchestration.resources.installation import Installation


@dg.op(description="Sets how long the buckets keep points, and has the task that writes hourly figures.")
def influxdb_upkeep(context: dg.OpExecutionContext, installation: Installation) -> None:
    """Idempotent: what is set already stays as it is."""
    from orchestration.lib import influxdb  # noqa: PLC0415  imports the InfluxDB client

    for change in influxdb.ensure(installation.settings):
        context.log.info(change)


@dg.op(description="Makes the next months' partitions of the anomalies and drops those past retention.")
def postgres_upkeep(context: dg.OpExecutionContext, installation: Installation) -> None:
    from lakehouse import retention  # noqa: PLC0415  imports SQLAlchemy
    from lakehouse.registry import partitions  # noqa: PLC0415

    settings = installation.settings
    first = retention.first_kept(datetime.now(UTC).date(), settings.anomaly_retention_days)
    made, dropped = partitions.ensure_anomaly_partitions(settings), partitions.drop_anomalies_before(settings, first)
    context.log.info(f"months of anomalies in PostgreSQL: made {made}, dropped {dropped} (before {first})")


@dg.job(tags={"sensorlake/kind": "maintenance"})
def maintain_servers() -> None:
    """InfluxDB and PostgreSQL; the failure of one leaves the other to go on."""
    influxdb_upkeep()
    postgres_upkeep()


maintain_servers_daily = dg.ScheduleDefinition(
    job=maintain_servers,
    name="maintain_servers_daily",
    cron_schedule="30 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
