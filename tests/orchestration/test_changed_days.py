"""A day whose readings changed is asked for again, tick by tick."""

import json
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from lakehouse import changes
from lakehouse.tables import ANOMALIES, READINGS
from orchestration.defs.lake import sensors
from orchestration.defs.lake.partitions import days
from orchestration.resources.installation import Installation
from tests.orchestration.rows import NOON, anomaly, read, reading, write

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class Clock(datetime):
    """A clock that a test sets."""

    at = NOW

    @classmethod
    def now(cls, tz=None):
        return cls.at.astimezone(tz)


@pytest.fixture(autouse=True)
def _clock(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    days.cache_clear()
    monkeypatch.setenv("SENSORLAKE_RAW_RETENTION_DAYS", "36500")  # the days here are of one November
    monkeypatch.setattr(Clock, "at", NOW)
    monkeypatch.setattr(sensors, "datetime", Clock)
    yield
    days.cache_clear()


def tick(lake, instance, cursor=None):
    resources = {"installation": Installation(lake_root=lake.root)}
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
        return sensors.changed_days(context)


def asked(result):
    return [(request.partition_key, request.asset_selection) for request in result.run_requests]


def later(**span):
    Clock.at = Clock.at + timedelta(**span)


def test_without_a_table_nothing_is_asked_for(lake, instance):
    assert "no table readings" in tick(lake, instance).skip_message


def test_days_are_asked_for_once_they_are_quiet_and_then_no_more(lake, instance):
    write(lake, READINGS, [reading(0), reading(86_400)])
    Clock.at = datetime.now(UTC)
    first = tick(lake, instance)
    assert not first.run_requests, "they may still go on"
    later(minutes=6)
    second = tick(lake, instance, first.cursor)
    assert [key for key, only in asked(second) if only is None] == ["2026-11-18", "2026-11-19"]
    later(minutes=6)
    assert not tick(lake, instance, second.cursor).run_requests


def test_late_readings_ask_for_their_day_and_for_the_comparison_of_the_next(lake, instance):
    write(lake, READINGS, [reading(0)])
    version = changes.since(lake, READINGS, None).version
    write(lake, READINGS, [reading(-86_400)])
    Clock.at = datetime.now(UTC) + timedelta(minutes=10)
    cursor = json.dumps({"version": version, "waiting": {}, "today": None})
    (day, everything), (following, only) = asked(tick(lake, instance, cursor))
    assert (day, everything) == ("2026-11-17", None)
    assert (following, only) == ("2026-11-18", [dg.AssetKey("trends")])


def test_an_alarm_that_came_after_midnight_asks_for_its_day(lake, instance):
    quiet = reading(-86_400)
    write(lake, READINGS, [quiet, reading(0)])
    write(lake, ANOMALIES, [])
    Clock.at = datetime.now(UTC) + timedelta(minutes=10)
    before = tick(lake, instance)
    write(lake, ANOMALIES, [anomaly(quiet)])
    waits = tick(lake, instance, before.cursor)
    later(minutes=50)
    waits = tick(lake, instance, waits.cursor)
    assert not waits.run_requests, "others may follow"
    later(minutes=10)
    assert asked(tick(lake, instance, waits.cursor)) == [
        ("2026-11-17", None),
        ("2026-11-18", [dg.AssetKey("trends")]),
    ]


def test_a_cursor_that_knows_of_no_anomalies_takes_those_until_now_as_seen(lake, instance):
    write(lake, READINGS, [reading(0)])
    write(lake, ANOMALIES, [anomaly(reading(0))])
    Clock.at = datetime.now(UTC) + timedelta(minutes=10)
    cursor = json.dumps({"version": changes.since(lake, READINGS, None).version, "waiting": {}, "today": None})
    first = tick(lake, instance, cursor)
    assert not first.run_requests
    write(lake, ANOMALIES, [anomaly(reading(60))])
    later(hours=2)
    assert [day for day, _ in asked(tick(lake, instance, first.cursor))][:1] == ["2026-11-18"]


def test_days_whose_readings_retention_takes_are_left_alone(lake, instance, monkeypatch):
    write(lake, READINGS, [reading(-5 * 86_400), reading(0)])
    monkeypatch.setenv("SENSORLAKE_RAW_RETENTION_DAYS", "4")
    Clock.at = NOON + timedelta(days=2)
    before = tick(lake, instance)
    later(hours=2)
    assert asked(tick(lake, instance, before.cursor))[0] == ("2026-11-18", None)


def test_compaction_changes_no_day(lake):
    for second in range(3):
        write(lake, READINGS, [reading(second)])
    before = changes.since(lake, READINGS, None).version
    lake.open(READINGS).optimize.compact()
    after = changes.since(lake, READINGS, before)
    assert after.version > before
    assert not after.days
    assert len(read(lake, READINGS)) == 3


def test_a_day_that_does_not_become_quiet_is_asked_for_within_an_hour():
    waiting = sensors.merged({}, {NOON.date(): NOW}, NOW)
    again = sensors.merged(waiting, {NOON.date(): NOW + timedelta(minutes=61)}, NOW + timedelta(minutes=61))
    assert not list(sensors.days_due(again, NOW + timedelta(minutes=59), None))
    assert list(sensors.days_due(again, NOW + timedelta(minutes=61), None)) == ["2026-11-18"]


def test_today_is_asked_for_once_an_hour():
    waiting = sensors.merged({}, {date(2026, 11, 21): NOW}, NOW)
    assert not list(sensors.days_due(waiting, NOW + timedelta(minutes=59), None))
    assert list(sensors.days_due(waiting, NOW + timedelta(minutes=60), None)) == ["2026-11-21"]
    assert not list(sensors.days_due(waiting, NOW + timedelta(minutes=60), (NOW + timedelta(minutes=30)).isoformat()))


def test_days_before_the_first_day_are_left_alone(lake, instance):
    write(lake, READINGS, [reading(-40 * 86_400), reading(0)])
    Clock.at = datetime.now(UTC) + timedelta(minutes=10)
    assert {key for key, _ in asked(tick(lake, instance))} == {"2026-11-18", "2026-11-19"}
