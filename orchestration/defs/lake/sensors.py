"""Asks for days again whose readings changed, and lets conditions ask for the rest."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from orchestration.automation import CAUSE
from orchestration.defs.lake.partitions import days
from orchestration.outages import reachable_lake
from orchestration.resources.installation import Installation
from sensorlake.errors import SensorlakeError

DAILY = ("enriched_readings", "trends", "data_quality_report", "reporting_facts")

# Late readings come in bursts: a day is asked for when none has come for a while, or when they do not stop.
_QUIET = timedelta(minutes=5)
_LONGEST_WAIT = timedelta(hours=1)
# The day that is not over yet changes all the time.
_TODAY_EVERY = timedelta(hours=1)
_AT_ONCE = 10


@dataclass(frozen=True)
class Seen:
    """The versions of the tables up to which the days are known."""

    readings: int
    anomalies: int | None


@dg.sensor(
    target=dg.AssetSelection.assets(*DAILY),
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for the days of the lake whose readings or anomalies changed since they were worked through.",
)
def changed_days(context: dg.SensorEvaluationContext, installation: Installation) -> dg.SkipReason | dg.SensorResult:
    from lakehouse import changes, retention  # noqa: PLC0415  imports Arrow
    from lakehouse.tables import ANOMALIES, READINGS  # noqa: PLC0415

    now = datetime.now(UTC)
    cursor = json.loads(context.cursor) if context.cursor else {"version": None, "waiting": {}, "today": None}
    try:
        with reachable_lake(installation) as lake:
            news = changes.since(lake, READINGS, cursor["version"])
            # What is not there yet has no version, and a device that went silent before midnight is missed after it.
            judged = changes.since(lake, ANOMALIES, cursor.get("anomalies")) if lake.find(ANOMALIES) else None
    except SensorlakeError as error:
        return dg.SkipReason(str(error))
    waiting = merged(cursor["waiting"], news.days, now)
    # A cursor of 0.1.0 does not say which anomalies were seen: those until then were.
    if judged and (cursor["version"] is None or "anomalies" in cursor):
        # Devices that fall silent ring one by one, for hours: those of a day are waited for.
        alarmed = {day: moment + _LONGEST_WAIT for day, moment in judged.days.items() if day.isoformat() not in waiting}
        waiting = merged(waiting, alarmed, now)
    due = list(days_due(waiting, now, cursor["today"]))[:_AT_ONCE]
    # Of days past their retention the readings are gone.
    first = retention.first_kept(now.date(), installation.settings.raw_retention_days).isoformat()
    keys = {day for day in days().get_partition_keys(now) if day >= first}
    seen = Seen(news.version, judged.version if judged else None)
    requests = list(_requests([day for day in due if day in keys], seen, now, keys))
    if now.date().isoformat() in due:
        cursor["today"] = now.isoformat()
    left = {day: times for day, times in waiting.items() if day not in due}
    state = {"version": seen.readings, "anomalies": seen.anomalies, "waiting": left, "today": cursor["today"]}
    reason = None if requests else f"{len(left)} changed days wait until they are quiet"
    return dg.SensorResult(run_requests=requests, skip_reason=reason, cursor=json.dumps(state))


def merged(waiting: Mapping[str, list[str]], changed: Mapping[date, datetime], now: datetime) -> dict[str, list[str]]:
    """Day -> [when its change was first seen, when it last changed], ISO 8601."""
    found = dict(waiting)
    for day, moment in changed.items():
        key = day.isoformat()
        first = found[key][0] if key in found else now.isoformat()
        found[key] = [first, moment.isoformat()]
    return found


def days_due(waiting: Mapping[str, list[str]], now: datetime, today_at: str | None) -> Iterator[str]:
    """The days to work through now, the oldest first."""
    for day, (first, last) in sorted(waiting.items()):
        if day < now.date().isoformat():
            quiet = now - datetime.fromisoformat(last) >= _QUIET
            if quiet or now - datetime.fromisoformat(first) >= _LONGEST_WAIT:
                yield day
        else:
            since = datetime.fromisoformat(today_at or first)
            if now - since >= _TODAY_EVERY:
                yield day


def _requests(due: list[str], seen: Seen, now: datetime, keys: set[str]) -> Iterator[dg.RunRequest]:
    today = now.date().isoformat()
    tags = {"sensorlake/readings_version": str(seen.readings), "sensorlake/anomalies_version": str(seen.anomalies)}
    for day in due:
        yield dg.RunRequest(
            run_key=f"{day}-{seen.readings}-{seen.anomalies}",
            partition_key=day,
            tags={CAUSE: "the day goes on" if day == today else "late readings or anomalies", **tags},
        )
        after = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
        if after not in due and after in keys and after <= today:
            yield dg.RunRequest(
                run_key=f"{after}-{seen.readings}-{seen.anomalies}-compared",
                partition_key=after,
                asset_selection=[dg.AssetKey("trends")],
                tags={CAUSE: f"compared with {day}, which changed", **tags},
            )


conditions = dg.AutomationConditionSensorDefinition(
    "automation_conditions",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    # A run for each day. As a backfill Dagster would give `trends`, which reads its own day before, a run of its own,
    # past the blocking checks of `enriched_readings`.
    emit_backfills=False,
    description="Starts what the automation conditions of the assets ask for.",
)
