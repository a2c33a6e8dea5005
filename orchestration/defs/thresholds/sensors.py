"""Asks for a refresh when readings, drift or alarms call for one, and shows versions that people published."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.automation import CAUSE, LIVE_VERSION
from orchestration.defs.thresholds.jobs import refresh_thresholds
from orchestration.outages import reachable_lake
from orchestration.resources.installation import Installation
from sensorlake.errors import SensorlakeError

if TYPE_CHECKING:
    from orchestration.learning.situation import Attempt

_UNFINISHED = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]
_UNFINISHED += [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@dg.sensor(
    job=refresh_thresholds,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New data, drift or a rising alarm rate ask for a refresh of the thresholds.",
)
def thresholds_need_refresh(
    context: dg.SensorEvaluationContext, installation: Installation
) -> dg.SkipReason | dg.SensorResult:
    from orchestration.learning import situation  # noqa: PLC0415  imports Arrow and numpy

    unfinished = dg.RunsFilter(job_name=refresh_thresholds.name, statuses=_UNFINISHED)
    if context.instance.get_runs_count(unfinished):
        return dg.SkipReason("a refresh is under way")
    settings, now = installation.settings, datetime.now(UTC)
    last = _attempt(context.cursor)
    try:
        with reachable_lake(installation) as lake:
            found = situation.standing(lake, now)
            if waiting := situation.reason_to_wait(found, last, settings):
                return dg.SkipReason(waiting)
            # Only now: of many devices the windows are millions.
            told = situation.assess(lake, settings, found)
    except SensorlakeError as error:
        return dg.SkipReason(str(error))
    kind, text = situation.reason_to_refresh(found, told, last, settings)
    if kind is None:
        return dg.SkipReason(text)
    request = dg.RunRequest(
        run_key=f"{kind}-{found.features_version}-{found.live.version}",
        tags={
            CAUSE: f"{kind}: {text}",
            "sensorlake/features_version": str(found.features_version),
            LIVE_VERSION: str(found.live.version),
        },
    )
    cursor = json.dumps({"at": now.isoformat(), "features_version": found.features_version})
    return dg.SensorResult(run_requests=[request], cursor=cursor)


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports versions of the thresholds that were published on the command line or by a job.",
)
def thresholds_published_by_hand(
    context: dg.SensorEvaluationContext, installation: Installation
) -> dg.SkipReason | dg.SensorResult:
    from lakehouse import thresholds  # noqa: PLC0415  imports Arrow

    seen = int(context.cursor or 0)
    try:
        with reachable_lake(installation) as lake:
            known = thresholds.versions(lake)
    except SensorlakeError as error:
        return dg.SkipReason(str(error))
    fresh = [version for version in reversed(known) if version.version > seen]
    if not fresh:
        return dg.SkipReason(f"version {known[0].version} is live and known")
    events = [
        dg.AssetMaterialization(
            "thresholds",
            description=f"{version.kind} by {version.by}: {version.why}",
            metadata={
                "version": version.version,
                "published_by": version.by,
                "kind": version.kind,
                "why": version.why,
                "dagster/row_count": version.rows,
                "learned": version.learned,
                "set_by_hand": version.manual,
                "table_version": version.table_version,
            },
        )
        for version in fresh
        if "run" not in version.data  # a run has reported its own
    ]
    return dg.SensorResult(asset_events=events, cursor=str(known[0].version))


def _attempt(cursor: str | None) -> "Attempt | None":
    from orchestration.learning import situation  # noqa: PLC0415

    if not cursor:
        return None
    found = json.loads(cursor)
    return situation.Attempt(datetime.fromisoformat(found["at"]), int(found["features_version"]))
