"""Is there a reason to train models anew? What the lake says, and the answer."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.lake import Lake
from lakehouse.models import registry
from lakehouse.tables import READINGS, TRAINING_SETS
from orchestration.training import drift, history
from orchestration.training.sets import GENERATED, Wanted
from sensorlake.settings import Settings

OLDEST = timedelta(days=7)
SOONEST = timedelta(hours=6)
"""Training takes minutes of the machine that the stream runs on."""


@dataclass(frozen=True)
class _Made:
    """The newest training set: when it was made, where its readings come from, and its number."""

    at: datetime
    origin: str
    version: int


def reason_to_train(lake: Lake, settings: Settings, now: datetime) -> tuple[str | None, str]:
    """(kind of cause, or None where there is none; what is to be said of it). Kinds: first, untrained, drift, age."""
    wanted = Wanted()
    least = wanted.least_devices * wanted.least_readings
    if (held := _readings(lake)) < least:
        return None, f"the lake holds {held} readings, fewer than the {least} that a training set needs"
    made = _made(lake)
    if made is not None and now - made.at < SOONEST:
        return None, f"a training set was made {now - made.at} ago, and the next may be {SOONEST} later"
    if made is None or made.origin == GENERATED:
        so_far = "models were trained on a simulated fleet alone" if made else "no model was trained yet"
        return _first(lake, wanted, so_far, now)
    return _again(lake, settings, made, now)


def _again(lake: Lake, settings: Settings, made: _Made, now: datetime) -> tuple[str | None, str]:
    """Are models of the newest training set there, and do they still fit?"""
    age, standings = now - made.at, registry.standings(lake)
    if all(each.trained_on != made.version for each in standings):
        return "untrained", f"of training set {made.version} no model was entered: its training failed or was not run"
    if age > OLDEST:
        return "age", f"the newest training set is {age.days} days old"
    metric, index = drift.of_inputs(lake, settings.drift_minutes, now).largest
    if index > settings.drift_limit:
        return "drift", f"{metric} drifted from the training set: stability index {index:.2f}"
    champions = [each.label for each in standings if each.role == registry.CHAMPION]
    return None, f"the newest training set is {age} old and fits; in force: {', '.join(champions) or 'no model'}"


def _first(lake: Lake, wanted: Wanted, so_far: str, now: datetime) -> tuple[str | None, str]:
    """Have enough devices sent enough for the first models of them?"""
    start = now - timedelta(minutes=wanted.minutes)
    devices = len(history.active(lake.existing(READINGS), start, now, wanted.least_readings))
    said = f"{devices} devices sent {wanted.least_readings} readings in the last {wanted.minutes:g} minutes"
    if devices < wanted.least_devices:
        return None, f"{so_far}, and only {said}: {wanted.least_devices} must have"
    return "first", f"{so_far}, and {said}"


def _readings(lake: Lake) -> int:
    """By the table's log alone."""
    table = lake.find(READINGS)
    if table is None:
        return 0
    return int(pc.sum(pa.table(table.get_add_actions(flatten=True))["num_records"]).as_py() or 0)


def _made(lake: Lake) -> _Made | None:
    table = lake.find(TRAINING_SETS)
    # The newest commit is the first.
    commit = next((each for each in (table.history() if table else []) if "userMetadata" in each), None)
    if commit is None:
        return None
    note = json.loads(commit["userMetadata"])
    return _Made(datetime.fromtimestamp(commit["timestamp"] / 1000, tz=UTC), note["origin"], int(note["version"]))
