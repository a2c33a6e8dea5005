"""The loop on small real tables: what is learned, what is published, and what keeps a version from going live."""

import math
from datetime import UTC, datetime, timedelta

import dagster as dg
import numpy as np
import pytest

from lakehouse import threshold_changes, thresholds
from lakehouse.registry import AlertRule
from lakehouse.tables import ANOMALIES, BASELINES, FEATURES, THRESHOLD_CANDIDATES
from orchestration.defs.thresholds import checks
from orchestration.defs.thresholds import sensors as sensors_module
from orchestration.defs.thresholds.baselines import baselines
from orchestration.defs.thresholds.threshold_candidates import threshold_candidates
from orchestration.defs.thresholds.thresholds import thresholds as published
from orchestration.resources.installation import Installation
from sensorlake.errors import ThresholdsError
from tests.orchestration.rows import anomaly, read, reading, write

RULE = AlertRule("temperature", None, -20.0, 85.0, 6.0, "critical", "°C", "", "")
MINUTE = timedelta(minutes=1)
PER_WINDOW = 6


class WithRule(Installation):
    """An installation whose registry holds one rule, and what operators said."""

    said: dict[str, bool] = {}  # noqa: RUF012  pydantic copies defaults

    def alert_rules(self):
        return [RULE]

    def verdicts(self):
        return self.said


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SENSORLAKE_SHIFT_MINUTES", "60")


@pytest.fixture
def now():
    return datetime.now(UTC).replace(second=0, microsecond=0)


@pytest.fixture
def lake_with_first_version(lake):
    thresholds.ensure_first_version(lake, [RULE])
    return lake


def windows(now, means, device="pump-1", stddev=0.5, metric="temperature", **changes):
    """One window a minute that end before `now`, the last of them just then."""
    first = now - len(means) * MINUTE
    return [
        {
            "window_kind": "tumbling_1m",
            "window_start": first + place * MINUTE,
            "window_end": first + (place + 1) * MINUTE,
            "device_id": device,
            "metric": metric,
            "count": PER_WINDOW,
            "mean": mean,
            "stddev": stddev,
            "min": mean - stddev,
            "max": mean + stddev,
            "range": 2 * stddev,
            "delta": 0.0,
            "rate_of_change": 0.0,
            "event_date": (first + place * MINUTE).date(),
        }
        | changes
        for place, mean in enumerate(means)
    ]


def both_lengths(rows):
    """Those windows, and the same as if they were of five minutes: of hours, only such are looked at."""
    return rows + [row | {"window_kind": "tumbling_5m"} for row in rows]


def level(value, minutes, seed=0):
    return list(value + np.random.default_rng(seed).normal(0, 0.3, minutes))


def refresh(lake, instance, said=None, tags=None):
    """Run the three assets and their checks as Dagster does; whether the run went through."""
    return dg.materialize(
        [baselines, threshold_candidates, published, checks.compared_with_live],
        instance=instance,
        resources={"installation": WithRule(lake_root=lake.root, said=said or {})},
        raise_on_error=False,
        tags=tags,
    )


def failed_checks(result):
    return {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}


def live(lake):
    version, rows = thresholds.live(lake)
    return version, {(row["device_id"], row["metric"]): row for row in rows.to_pylist()}


def test_a_device_that_was_watched_long_enough_gets_limits_of_its_own(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(20.0, 120)))
    assert refresh(lake, instance).success
    version, rows = live(lake)
    assert (version.version, version.kind, version.learned) == (2, "refresh", 1)
    own = rows["pump-1", "temperature"]
    assert own["mean"] == pytest.approx(20.0, abs=0.2)
    assert own["stddev"] == pytest.approx(math.hypot(0.3, 0.5), rel=0.2), "between windows and within them"
    assert (own["lower"], own["upper"], own["source"]) == (-20.0, 85.0, "learned")
    assert rows["*", "temperature"]["source"] == "rule", "other devices keep the rule"
    assert version.data["features_version"] == lake.open(FEATURES).version()


def alarmed(lake, value, detector="z_score"):
    """An anomaly of a minute ago; its id."""
    at = datetime.now(UTC).replace(microsecond=0) - MINUTE
    row = anomaly(reading(value=value) | {"event_time": at, "event_date": at.date()}, detector)
    write(lake, ANOMALIES, [row])
    return row["anomaly_id"]


def test_an_acknowledged_false_alarm_is_not_raised_again(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(20.0, 120)))
    assert refresh(lake, instance).success
    own = live(lake)[1]["pump-1", "temperature"]
    just_beyond = own["mean"] + 1.5 * own["z_limit"] * own["stddev"]
    false_alarm = alarmed(lake, just_beyond)
    assert refresh(lake, instance, {false_alarm: False}).success
    wider = live(lake)[1]["pump-1", "temperature"]
    assert wider["mean"] + wider["z_limit"] * wider["stddev"] > just_beyond
    assert wider["note"] == f"widened from {own['z_limit']:.3g}: 1 acknowledged false alarms"
    assert (wider["upper"], wider["stddev"]) == (own["upper"], own["stddev"])


def test_false_alarms_neither_silence_a_device_nor_hide_what_was_confirmed(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(20.0, 120)))
    assert refresh(lake, instance).success
    own = live(lake)[1]["pump-1", "temperature"]

    def away(times):
        return own["mean"] + times * own["z_limit"] * own["stddev"]

    far = alarmed(lake, away(50))
    assert refresh(lake, instance, {far: False}).success
    assert live(lake)[1]["pump-1", "temperature"]["z_limit"] == pytest.approx(3 * own["z_limit"])
    real = alarmed(lake, away(2), "ewma")
    assert refresh(lake, instance, {far: False, real: True}).success
    assert own["z_limit"] < live(lake)[1]["pump-1", "temperature"]["z_limit"] < 2 * own["z_limit"]


def test_a_silence_that_was_none_widens_nothing(lake_with_first_version, instance, now):
    # Its value is its seconds, whatever the metric.
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(20.0, 120)))
    assert refresh(lake, instance).success
    own = live(lake)[1]["pump-1", "temperature"]
    silence = alarmed(lake, 600.0, "learned_missing")
    assert refresh(lake, instance, {silence: False}).success
    assert live(lake)[1]["pump-1", "temperature"]["z_limit"] == pytest.approx(own["z_limit"])


def test_a_limit_that_is_no_number_is_refused(lake_with_first_version):
    for endless in (math.nan, math.inf):
        with pytest.raises(ThresholdsError, match="upper of pump-9 temperature must be a number"):
            threshold_changes.set_by_hand(
                lake_with_first_version, "pump-9", "temperature", {"upper": endless}, by="ann", why=""
            )


def test_three_readings_say_nothing_of_a_device(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(20.0, 60)) + windows(now, [3.0], device="new", count=3))
    assert refresh(lake, instance).success
    assert ("new", "temperature") not in live(lake)[1]
    assert {row["device_id"] for row in read(lake, BASELINES)} == {"pump-1", "new"}


def test_one_window_says_nothing_of_how_a_level_moves(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(20.0, 60)) + windows(now, [3.0], device="new", count=60))
    assert refresh(lake, instance).success
    assert ("new", "temperature") not in live(lake)[1]


def test_a_constant_device_can_still_be_judged(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    rows = windows(now, [20.0] * 60, stddev=0.0) + windows(now, level(20.0, 60), device="pump-2")
    write(lake, FEATURES, rows)
    assert refresh(lake, instance).success
    assert live(lake)[1]["pump-1", "temperature"]["stddev"] > 0


def test_figures_that_are_not_finite_count_for_nothing(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(20.0, 60)) + windows(now - 60 * MINUTE, [math.nan, math.inf]))
    assert refresh(lake, instance).success
    assert live(lake)[1]["pump-1", "temperature"]["mean"] == pytest.approx(20.0, abs=0.3)


def test_a_metric_without_limits_is_learned_too(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(5.0, 60), metric="flow"))
    assert refresh(lake, instance).success
    row = live(lake)[1]["pump-1", "flow"]
    assert (row["lower"], row["z_limit"]) == (None, 6.0)


def test_nothing_to_learn_from_leaves_everything_alone(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    assert not refresh(lake, instance).success, "no table of features yet"
    write(lake, FEATURES, windows(now - timedelta(days=30), level(20.0, 60)))
    assert not refresh(lake, instance).success, "none in the days looked at"
    assert live(lake)[0].version == 1


def test_a_level_that_has_lasted_is_the_new_normal(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(20.0, 200) + level(40.0, 70)))
    assert refresh(lake, instance).success
    assert live(lake)[1]["pump-1", "temperature"]["mean"] == pytest.approx(40.0, abs=0.3)
    (row,) = read(lake, BASELINES)
    assert row["shifted_at"] == now - 70 * MINUTE


def test_a_level_that_has_just_changed_is_not(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(20.0, 200) + level(40.0, 30)))
    assert failed_checks(refresh(lake, instance)) == {"alarm_rate"}, "of this one device's day too much would alarm"
    (row,) = read(lake, BASELINES)
    assert (row["centre"], row["shifted_at"]) == (pytest.approx(20.0, abs=0.3), None)
    assert live(lake)[0].version == 1


def test_many_limits_that_move_far_at_once_are_not_published(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    before = now - 200 * MINUTE
    devices = [f"pump-{number}" for number in range(4)]
    write(lake, FEATURES, [row for device in devices for row in windows(before, level(20.0, 60), device)])
    assert refresh(lake, instance).success
    write(lake, FEATURES, [row for device in devices for row in windows(now, level(68.0, 190), device)])
    result = refresh(lake, instance)
    assert failed_checks(result) == {"change"}
    assert live(lake)[0].version == 2, "the live version stays"


def test_a_limit_that_would_silence_its_device_is_not_published(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    write(
        lake, FEATURES, windows(now - 200 * MINUTE, level(20.0, 60)) + windows(now - 200 * MINUTE, level(30.0, 60), "b")
    )
    assert refresh(lake, instance).success
    wild = list(20.0 + np.random.default_rng(1).normal(0, 30.0, 190))
    write(lake, FEATURES, windows(now, wild))
    assert "silenced" in failed_checks(refresh(lake, instance))
    assert live(lake)[0].version == 2


def test_limits_that_would_flood_are_not_published(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    # For five days at one level, for a day at another: the centre is the old one, and not yet that of the last day.
    days = [window for day in range(1, 6) for window in windows(now - day * timedelta(days=1), level(20.0, 60))]
    old = [row | {"window_kind": "tumbling_5m"} for row in days]
    write(lake, FEATURES, old + windows(now, level(60.0, 40)))
    result = refresh(lake, instance)
    assert "alarm_rate" in failed_checks(result)
    assert live(lake)[0].version == 1
    (check,) = [check for check in result.get_asset_check_evaluations() if check.check_name == "alarm_rate"]
    assert "would be abnormal" in check.description


def test_a_limit_set_by_hand_outlives_refreshes_until_it_is_removed(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(20.0, 60)))
    assert refresh(lake, instance).success
    threshold_changes.set_by_hand(lake, "pump-1", "temperature", {"upper": 30.0}, by="ann", why="new bearing")
    assert refresh(lake, instance).success
    row = live(lake)[1]["pump-1", "temperature"]
    assert (row["upper"], row["source"], row["note"]) == (30.0, "manual", "new bearing")
    threshold_changes.remove_by_hand(lake, "pump-1", "temperature", by="ann", why="worn in")
    row = live(lake)[1]["pump-1", "temperature"]
    assert (row["upper"], row["source"]) == (85.0, "learned"), "the last learned one is back"


def test_candidates_compared_with_a_version_that_is_live_no_more_are_refused(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(20.0, 60)))
    resources = {"installation": WithRule(lake_root=lake.root)}
    assert dg.materialize([baselines, threshold_candidates], resources=resources, instance=instance).success
    threshold_changes.set_by_hand(lake, "pump-9", "temperature", {"upper": 30.0}, by="ann", why="")
    result = dg.materialize([published], resources=resources, instance=instance, raise_on_error=False)
    assert not result.success
    assert live(lake)[0].version == 2
    assert len(read(lake, THRESHOLD_CANDIDATES)) == 2


def tick(lake, instance, cursor=None):
    resources = {"installation": WithRule(lake_root=lake.root)}
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
        return sensors_module.thresholds_need_refresh(context)


def test_the_sensor_asks_once_and_then_only_with_a_cause(lake_with_first_version, instance, now, monkeypatch):
    monkeypatch.setenv("SENSORLAKE_RETRY_MINUTES", "0.000001")
    lake = lake_with_first_version
    skipped = tick(lake, instance)
    assert "no table features" in skipped.skip_message
    write(lake, FEATURES, both_lengths(windows(now - 59 * MINUTE, [20.0])))
    assert "limits could be learned of 0% of what sends" in tick(lake, instance).skip_message, "one window says little"
    write(lake, FEATURES, both_lengths(windows(now, level(20.0, 59))))
    first = tick(lake, instance)
    (request,) = first.run_requests
    assert request.tags["sensorlake/cause"].startswith("first: ")
    assert "no new windows" in tick(lake, instance, first.cursor).skip_message
    assert refresh(lake, instance).success
    write(lake, FEATURES, windows(now + 5 * MINUTE, level(20.0, 5)))
    assert "fits" in tick(lake, instance, first.cursor).skip_message


def test_a_device_that_alarms_most_of_the_time_asks_for_a_refresh(lake_with_first_version, instance, now, monkeypatch):
    monkeypatch.setenv("SENSORLAKE_RETRY_MINUTES", "0.000001")
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(20.0, 60)))
    assert refresh(lake, instance).success
    monkeypatch.setenv("SENSORLAKE_SHIFT_MINUTES", "14")
    monkeypatch.setenv("SENSORLAKE_ALARM_RATE_LIMIT", "0.9")
    monkeypatch.setattr(sensors_module, "datetime", _Later)
    later = now + 2 * MINUTE
    write(lake, FEATURES, windows(later + 10 * MINUTE, level(40.0, 9)))
    readings = [
        reading(event_time=later + place * 10 * MINUTE / 60, value=40.0, event_date=later.date()) for place in range(50)
    ]
    write(lake, ANOMALIES, [anomaly(one, threshold_version=2) for one in readings])
    (request,) = tick(lake, instance).run_requests
    assert request.tags["sensorlake/cause"].startswith("alarms: ")


class _Later(datetime):
    """A clock that is a quarter of an hour ahead."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + 15 * MINUTE


def test_after_a_rollback_nothing_is_asked_for(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(20.0, 60)))
    assert refresh(lake, instance).success
    threshold_changes.roll_back(lake, 1, by="ann", why="too strict")
    assert "ann rolled back to the limits of version 1" in tick(lake, instance).skip_message
    assert live(lake)[1].keys() == {("*", "temperature")}
    threshold_changes.set_by_hand(lake, "pump-7", "temperature", {"upper": 90.0}, by="bob", why="a new motor")
    assert "ann rolled back to the limits of version 1" in tick(lake, instance).skip_message, "hers still hold"


def test_a_refresh_that_waited_in_the_queue_does_not_undo_a_rollback(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(20.0, 60)))
    asked = tick(lake, instance).run_requests[0].tags
    assert refresh(lake, instance).success
    threshold_changes.roll_back(lake, 1, by="ann", why="too strict")
    rolled_back = live(lake)
    assert not refresh(lake, instance, tags=asked).success
    assert live(lake) == rolled_back
    assert refresh(lake, instance).success, "asked for by hand"


def test_versions_that_people_publish_show_in_dagster(lake_with_first_version, instance, now):
    lake = lake_with_first_version
    write(lake, FEATURES, windows(now, level(20.0, 60)))
    assert refresh(lake, instance).success
    threshold_changes.roll_back(lake, 1, by="ann", why="too strict")
    resources = {"installation": WithRule(lake_root=lake.root)}
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        result = sensors_module.thresholds_published_by_hand(context)
    assert [event.metadata["version"].value for event in result.asset_events] == [1, 3], "2 was reported by its run"
    assert result.cursor == "3"
