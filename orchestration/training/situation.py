"""Is there a reason to train models anew? What the lake says, and the answer."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.lake import Lake
from lakehouse.models import registry
from lakehouse.tables import READINGS, TRAINING_SETS
from orchestration.training import drift, history
from orchestration.training.sets import Wanted
from sensorlake.settings import Settings

OLDEST = timedelta(days=7)
SOONEST = timedelta(hours=6)
"""Training takes minutes of the machine that the stream runs on."""


def reason_to_train(lake: Lake, settings: Settings, now: datetime) -> tuple[str | None, str]:
    """(kind of cause, or None where there is none; what is to be said of it). Kinds: first, drift, age."""
    wanted = Wanted()
    least = wanted.least_devices * wanted.least_readings
    if (held := _readings(lake)) < least:
        return None, f"the lake holds {held} readings, fewer than the {least} that a training set needs"
    made = _made_at(lake)
    if made is None:
        return _first(lake, wanted, now)
    age = now - made
    if age < SOONEST:
        return None, f"a training set was made {age} ago, and the next may be {SOONEST} later"
    if age > OLDEST:
        return "age", f"the newest training set is {age.days} days old"
    metric, index = drift.of_inputs(lake, settings.drift_minutes, now).largest
    if index > settings.drift_limit:
        return "drift", f"{metric} drifted from the training set: stability index {index:.2f}"
    champions = [each.label for each in registry.standings(lake) if each.role == registry.CHAMPION]
    return None, f"the newest training set is {age} old and fits; in force: {', '.join(champions) or 'no model'}"


def _first(lake: Lake, wanted: Wanted, now: datetime) -> tuple[str | None, str]:
    """Have enough devices sent enough for the first models?"""
    start = now - timedelta(minutes=wanted.minutes)
    devices = len(history.active(lake.existing(READINGS), start, now, wanted.least_readings))
    said = f"{devices} devices sent {wanted.least_readings} readings in the last {wanted.minutes:g} minutes"
    if devices < wanted.least_devices:
        return None, f"no model was trained yet, and only {said}: {wanted.least_devices} must have"
    return "first", f"no model was trained yet, and {said}"


def _readings(lake: Lake) -> int:
    """By the table's log alone."""
    table = lake.find(READINGS)
    if table is None:
        return 0
    return int(pc.sum(pa.table(table.get_add_actions(flatten=True))["num_records"]).as_py() or 0)


def _made_at(lake: Lake) -> datetime | None:
    """When the newest training set was made."""
    table = lake.find(TRAINING_SETS)
    times = [commit["timestamp"] for commit in (table.history() if table else []) if "userMetadata" in commit]
    return datetime.fromtimestamp(max(times) / 1000, tz=UTC) if times else None
