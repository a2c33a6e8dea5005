"""A day is enriched and summed up from what the lake holds of it, and comes out the same however often it is run."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from lakehouse import retention
from lakehouse.tables import ANOMALIES, ENRICHED_READINGS, READINGS, TRENDS
from orchestration.transforms import daily
from orchestration.transforms.registry_facts import RegistryFacts
from orchestration.transforms.trends import COLUMNS, of_readings
from sensorlake import settings as settings_module
from sensorlake.errors import LakeError
from tests.orchestration.rows import NOON, anomaly, read, reading, write

pytestmark = pytest.mark.spark

_TEXT = ("device_id", "metric", "unit")
_OTHERS = {"event_time": pa.timestamp("us", "UTC"), "anomalies": pa.int32()}
KINDS = {name: pa.string() if name in _TEXT else _OTHERS.get(name, pa.float64()) for name in COLUMNS}
DAY = NOON.date()
FAR = datetime(9999, 1, 1, tzinfo=UTC)
START = datetime(2026, 11, 18, tzinfo=UTC)


def facts(**found):
    empty = {"devices": [], "configurations": [], "maintenance": [], "events": []}
    return RegistryFacts(empty | found, START, START + timedelta(days=1))


def enrich(spark, lake, known=None, day=DAY):
    daily.write_enriched(spark, lake, known or facts(), day)
    return [
        row for row in read(lake, ENRICHED_READINGS, "device_id", "metric", "event_time") if row["event_date"] == day
    ]


def run(spark, lake, day=DAY):
    daily.write_enriched(spark, lake, facts(), day)
    daily.write_trends(spark, lake, day)


def sum_up(lake, day, rows):
    """Trends of a day as `run` makes them, of enriched readings that are at hand: seconds less a day."""
    given = [row | {"anomalies": row.get("anomalies", 0), "interval_seconds": None} for row in rows]
    schema = pa.schema(list(KINDS.items()))
    found = of_readings(pa.Table.from_pylist([row for row in given if row["event_date"] == day], schema=schema))
    daily.store_trends(lake, day, found, version=0)


def trends(lake, period, device="pump-1", metric="temperature"):
    rows = read(lake, TRENDS, "period_start")
    return [row for row in rows if (row["period"], row["device_id"], row["metric"]) == (period, device, metric)]


def test_a_reading_that_came_twice_counts_once_as_it_arrived_first(spark, lake):
    late = reading(0, value=99.0, received_at=NOON + timedelta(hours=1))
    write(lake, READINGS, [late, reading(0, value=20.0), reading(1)])
    write(lake, ANOMALIES, [])
    assert [row["value"] for row in enrich(spark, lake)] == [20.0, 20.0]


def test_a_reading_meets_what_the_registry_knew_at_its_time(spark, lake):
    write(lake, READINGS, [reading(-7200), reading(0), reading(7200), reading(0, device="stranger", location="yard")])
    write(lake, ANOMALIES, [])
    rows = enrich(
        spark,
        lake,
        facts(
            devices=[("pump-1", "P-9", "hall 3")],
            configurations=[
                ("pump-1", START - timedelta(days=9), NOON, 10.0, "1.0"),
                ("pump-1", NOON, FAR, 60.0, "2.0"),
            ],
            maintenance=[("pump-1", NOON, NOON + timedelta(hours=1), "inspection")],
            events=[
                ("pump-1", None, NOON - timedelta(minutes=30), "restarted"),
                (None, "hall 3", NOON - timedelta(minutes=10), "power cut"),
                (None, None, NOON + timedelta(hours=1, minutes=50), "storm"),
            ],
        ),
    )
    before, at_noon, after, stranger = rows
    assert [row["firmware"] for row in rows] == ["1.0", "2.0", "2.0", None]
    assert [row["interval_seconds"] for row in rows] == [10.0, 60.0, 60.0, None]
    assert [row["in_maintenance"] for row in rows] == [False, True, False, False]
    assert [row["event_type"] for row in rows] == [None, "power cut", "storm", None], "the last of the hour before"
    assert (at_noon["model"], at_noon["location"], at_noon["registered"]) == ("P-9", "hall 3", True)
    assert (stranger["model"], stranger["location"], stranger["registered"]) == (None, "yard", False)
    assert before["maintenance_kind"] is None
    assert after["delay_seconds"] == 1.0


def test_readings_from_before_a_device_was_configured_stay_and_have_no_configuration(spark, lake):
    write(lake, READINGS, [reading(-60), reading(60)])
    write(lake, ANOMALIES, [])
    known = facts(devices=[("pump-1", "P-9", "hall 3")], configurations=[("pump-1", NOON, FAR, 60.0, "2.0")])
    assert [row["firmware"] for row in enrich(spark, lake, known)] == [None, "2.0"]


def test_verdicts_on_a_reading_are_counted(spark, lake):
    bad = reading(1, value=90.0)
    write(lake, READINGS, [reading(0), bad])
    write(lake, ANOMALIES, [anomaly(bad), anomaly(bad, "hard_limit")])
    assert [row["anomalies"] for row in enrich(spark, lake)] == [0, 2]


def test_a_silence_and_a_window_are_no_verdicts_on_the_reading_of_their_time(spark, lake):
    last = reading(0)
    write(lake, READINGS, [last])
    of_a_window = {"window_start": NOON - timedelta(minutes=1), "window_end": NOON}
    write(lake, ANOMALIES, [anomaly(last, "learned_missing"), anomaly(last, "lstm_autoencoder", **of_a_window)])
    assert [row["anomalies"] for row in enrich(spark, lake)] == [0]


def test_a_day_run_again_after_late_readings_holds_them_and_nothing_twice(spark, lake):
    write(lake, READINGS, [reading(0, value=10.0), reading(60, value=20.0)])
    write(lake, ANOMALIES, [])
    run(spark, lake)
    first = trends(lake, "day")
    run(spark, lake)
    assert trends(lake, "day") == first, "running a day twice changes no figure"
    write(lake, READINGS, [reading(120, value=60.0)])
    run(spark, lake)
    (row,) = trends(lake, "day")
    assert (row["count"], row["mean"]) == (3, 30.0)


def test_other_days_stay_as_they_are(spark, lake):
    tomorrow = reading(86_400, value=5.0)
    write(lake, READINGS, [reading(0), tomorrow])
    write(lake, ANOMALIES, [])
    run(spark, lake, DAY + timedelta(days=1))
    run(spark, lake, DAY)
    assert [row["event_date"] for row in read(lake, ENRICHED_READINGS, "event_time")] == [DAY, DAY + timedelta(days=1)]
    assert len(trends(lake, "day")) == 2


def test_what_was_made_of_a_day_stays_when_its_readings_are_past_their_retention(spark, lake, tmp_path):
    def require(kept_days: int) -> None:
        settings = settings_module.load(tmp_path).model_copy(update={"raw_retention_days": kept_days})
        retention.require_kept(lake, settings, READINGS, ENRICHED_READINGS, DAY)

    age = (datetime.now(UTC).date() - DAY).days
    write(lake, READINGS, [reading(0)])
    write(lake, ANOMALIES, [])
    require(age - 1)  # nothing was made of it yet
    run(spark, lake)
    require(age)
    with pytest.raises(LakeError, match=f"the rows of {DAY} are past the retention of readings.* it stays as it is"):
        require(age - 1)


def test_an_empty_day_and_an_unwritten_table(spark, lake):
    with pytest.raises(LakeError, match="no table readings"):
        daily.write_enriched(spark, lake, facts(), DAY)
    write(lake, READINGS, [reading(0)])
    write(lake, ANOMALIES, [])
    empty = DAY + timedelta(days=3)
    assert daily.write_enriched(spark, lake, facts(), empty).rows == 0
    assert daily.write_trends(spark, lake, empty).rows == 0


def test_figures_of_hours_and_of_the_day(lake):
    values = [1.0, 2.0, 3.0, 4.0]
    rows = [reading(60 * place, value=value, anomalies=int(place == 1)) for place, value in enumerate(values)]
    sum_up(lake, DAY, rows + [reading(3600 + 60 * place, value=10.0) for place in range(4)])
    noon, later = trends(lake, "hour")
    assert (noon["count"], noon["mean"], noon["min"], noon["p50"], noon["max"]) == (4, 2.5, 1.0, 2.0, 4.0)
    assert noon["stddev"] == pytest.approx(1.25**0.5)
    assert (noon["anomalies"], noon["anomaly_rate"]) == (1, 0.25)
    assert (later["previous_mean"], later["change"]) == (2.5, 7.5)
    assert (later["gaps"], later["gap_seconds"]) == (1, 3420.0), "counted in the hour in which it ends"
    (day,) = trends(lake, "day")
    assert (day["count"], day["gaps"], day["previous_mean"]) == (8, 1, None)


def test_week_and_month_follow_from_their_days_in_whatever_order_those_are_run(lake):
    rows = [reading(86_400 * day, value=float(day)) for day in (0, 1, 7)]
    for offset in (7, 1, 0):
        sum_up(lake, DAY + timedelta(days=offset), rows)
    this_week, next_week = trends(lake, "week")
    assert (this_week["event_date"], this_week["count"], this_week["mean"]) == (date(2026, 11, 16), 2, 0.5)
    assert next_week["event_date"] == date(2026, 11, 23)
    (month,) = trends(lake, "month")
    assert (month["event_date"], month["count"], month["min"], month["max"]) == (date(2026, 11, 1), 3, 0.0, 7.0)


def test_a_silence_over_midnight_is_a_gap_of_the_day_in_which_it_ends(lake):
    evening = [reading(11 * 3600 + 60 * place) for place in range(10)]
    morning = [reading(18 * 3600 + 60 * place) for place in range(10)]
    sum_up(lake, DAY, evening + morning)
    sum_up(lake, DAY + timedelta(days=1), evening + morning)
    before, after = trends(lake, "day")
    assert (before["gaps"], after["gaps"]) == (0, 1)
    assert after["gap_seconds"] == 7 * 3600 - 9 * 60
    assert [row["gaps"] for row in trends(lake, "hour")] == [0, 1]


def test_a_silence_of_whole_days_is_a_gap_of_the_day_in_which_it_ends(lake):
    days = (0, 2)
    rows = [reading(86_400 * day + 60 * place) for day in days for place in range(10)]
    for offset in days:
        sum_up(lake, DAY + timedelta(days=offset), rows)
    before, after = trends(lake, "day")
    assert (before["gaps"], after["gaps"]) == (0, 1)
    assert after["gap_seconds"] == 48 * 3600 - 9 * 60
    assert after["previous_mean"] is None, "compared with the day before alone"
