"""The reports: what dbt builds in schema `reporting` of PostgreSQL, and the dashboards that show it."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from orchestration.defs.lake.partitions import days
from orchestration.reports import graph, project
from orchestration.resources.installation import Installation
from sensorlake import settings as settings_module

# One dbt at a time: two would make the same views.
_POOL = "reporting"
_RETRY = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL)


@dg.definitions
def reports() -> dg.Definitions:
    """Read from dbt's manifest, which is made anew where the project changed."""
    manifest = project.manifest(settings_module.load())
    return dg.Definitions(
        assets=[_daily(manifest), _whole(manifest), *graph.exposures(manifest)],
        asset_checks=[sources := _sources(manifest)],
        schedules=[_hourly(sources)],
    )


def _daily(manifest: graph.Manifest) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="daily_reports",
        specs=(specs := graph.specs(manifest, daily=True)),
        check_specs=list(graph.checks(manifest, {spec.key for spec in specs}).values()),
        partitions_def=days(),
        # A range of days is one dbt, which takes no longer than a day.
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,
        pool=_POOL,
        retry_policy=_RETRY,
    )
    def daily_reports(
        context: dg.AssetExecutionContext, installation: Installation
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        """The views of what there is, and the reports that are kept day by day."""
        from orchestration.reports import building  # noqa: PLC0415  imports dbt

        span = context.partition_key_range
        values = project.of_days(span.start, span.end)
        yield from building.build(context, installation.settings, manifest, values)

    return daily_reports


def _whole(manifest: graph.Manifest) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="reports",
        specs=(specs := graph.specs(manifest, daily=False)),
        check_specs=list(graph.checks(manifest, {spec.key for spec in specs}).values()),
        can_subset=True,
        pool=_POOL,
        retry_policy=_RETRY,
    )
    def reports(
        context: dg.AssetExecutionContext, installation: Installation
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        """The reports that look at all days, or at the last ones, and are made anew each time."""
        from orchestration.reports import building  # noqa: PLC0415  imports dbt

        yield from building.build(context, installation.settings, manifest, {})

    return reports


def _sources(manifest: graph.Manifest) -> dg.AssetChecksDefinition:
    specs = graph.sources(manifest)

    @dg.multi_asset_check(
        name="source_freshness", specs=list(specs.values()), can_subset=True, pool=_POOL, retry_policy=_RETRY
    )
    def source_freshness(
        context: dg.AssetCheckExecutionContext, installation: Installation
    ) -> Iterator[dg.AssetCheckResult]:
        """Whether the sources of the reports are as young as they should be."""
        from orchestration.reports import freshness  # noqa: PLC0415  only runs need it

        wanted = {name: spec for name, spec in specs.items() if spec.key in context.selected_asset_check_keys}
        for result in freshness.ask(installation.settings, sorted(wanted)):
            name = ".".join(result["unique_id"].split(".")[2:])
            yield freshness.evaluation(result, wanted[name])

    return source_freshness


def _hourly(sources: dg.AssetChecksDefinition) -> dg.ScheduleDefinition:
    """Nothing is made that they could run with: the stream and the loads of days go on without being asked."""
    job = dg.define_asset_job(
        "source_ages",
        selection=dg.AssetSelection.checks(sources),
        description="Check how old the sources of the reports are.",
    )
    return dg.ScheduleDefinition(
        name="source_ages_hourly",
        job=job,
        cron_schedule="50 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every hour, after the reports of the hour.",
    )
