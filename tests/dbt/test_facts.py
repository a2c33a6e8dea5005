"""From small real tables of the lake into schema `facts`."""

import json
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from lakehouse import creation, facts, thresholds
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.tables import DEAD_LETTERS, ENRICHED_READINGS, QUALITY, READINGS, TRENDS, Table
from orchestration.defs.reporting.facts import reporting_facts
from orchestration.resources.installation import Installation
from orchestration.transforms import facts as shaped
from orchestration.transforms import facts_of_day
from sensorlake.errors import StackError
from sensorlake.settings import Settings

pytestmark = pytest.mark.integration

DAY = date(2026, 11, 18)
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)


@pytest.fixture
def database(database: Settings) -> Settings:
    """It keeps the day of these tests for ever."""
    return database.model_copy(update={"raw_retention_days": 36_500})


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def write(lake: Lake, table: Table, *rows: dict) -> None:
    """Append rows; columns that are not named are null."""
    made = pa.Table.from_pylist(list(rows), schema=arrow_schema(table.record))
    write_deltalake(creation.ensure(lake, table), made, mode="append")


def trend(period: str, device: str, at: datetime, **changes) -> dict:
    row = {"period": period, "period_start": at, "device_id": device, "metric": "temperature", "event_date": at.date()}
    return row | {"count": 4, "mean": 20.5, "anomalies": 1, "gaps": 1, "gap_seconds": 90.0} | changes


def enriched(device: str, **changes) -> dict:
    row = {"device_id": device, "metric": "temperature", "event_time": NOON, "event_date": DAY, "location": "hall"}
    return row | {"model": "m1", "interval_seconds": 60.0, "in_maintenance": False, "delay_seconds": 1.0} | changes


def a_day(lake: Lake) -> None:
    midnight = NOON.replace(hour=0)
    write(
        lake,
        TRENDS,
        trend("day", "pump-1", midnight),
        trend("day", "pump-2", midnight, count=2, anomalies=0),
        trend("hour", "pump-1", NOON),
        trend("hour", "pump-1", NOON, metric="humidity", count=3),
        trend("day", "pump-1", midnight - timedelta(days=1), count=99),
        trend("week", "pump-1", midnight, count=999),
    )
    write(
        lake,
        ENRICHED_READINGS,
        *[enriched("pump-1", delay_seconds=delay) for delay in (1.0, 31.0, 400.0)],
        enriched("pump-1", in_maintenance=True),
        *[enriched("pump-2", interval_seconds=None, location=None)] * 2,
    )
    write(lake, READINGS, *[{"device_id": "pump-1", "event_time": NOON, "event_date": DAY}] * 7)
    write(lake, DEAD_LETTERS, *[{"dq_reason": "malformed", "event_date": DAY}] * 3)
    result = {"day": DAY, "table": "readings", "check": "ids", "severity": "error", "examined": 7, "offenders": 0}
    late = {"passed": True, "detail": "", "checked_at": NOON + timedelta(minutes=1)}
    write(lake, QUALITY, result | late, result | late | {"passed": False, "checked_at": NOON})


def test_a_day_is_loaded_and_loading_it_again_changes_nothing(database, query, lake):
    a_day(lake)
    loaded = facts_of_day.load(database, lake, DAY)
    assert {name: loaded[name] for name in facts.DAYS_OF} == {
        "device_days": 2,
        "device_hours": 1,
        "reading_days": 1,
        "quality_results": 1,
    }
    facts_of_day.load(database, lake, DAY)
    days = query(
        "select device_id, readings, mean, anomalies, gaps, gap_seconds, late_readings, expected_readings, "
        "maintenance_readings, location, model from facts.device_days order by device_id"
    )
    assert days == [
        ["pump-1", 4, 20.5, 1, 1, 90.0, 2, 1440.0, 1, "hall", "m1"],
        ["pump-2", 2, 20.5, 0, 1, 90.0, 0, None, 0, None, "m1"],
    ]
    assert query("select hour, device_id, readings, anomalies from facts.device_hours") == [[NOON, "pump-1", 7, 2]]
    assert query("select readings, valid, duplicates, late, dead_letters from facts.reading_days") == [[7, 6, 1, 2, 3]]
    assert query("select check_name, passed, detail from facts.quality_results") == [["ids", True, ""]]


def test_what_came_since_the_day_was_enriched_is_no_duplicate(database, query, lake):
    a_day(lake)
    note = {"day": DAY.isoformat(), "readings_version": lake.open(READINGS).version()}
    made_from = CommitProperties(custom_metadata={"userMetadata": json.dumps(note)})
    rows = lake.open(ENRICHED_READINGS).to_pyarrow_table()
    write_deltalake(lake.open(ENRICHED_READINGS), rows, mode="overwrite", commit_properties=made_from)
    write(lake, READINGS, *[{"device_id": "pump-1", "event_time": NOON, "event_date": DAY}] * 9)
    facts_of_day.load(database, lake, DAY)
    assert query("select readings, valid, duplicates from facts.reading_days") == [[7, 6, 1]]


def test_a_day_whose_trends_a_check_held_up_changes_in_its_checks_alone(database, query, lake):
    a_day(lake)
    facts_of_day.load(database, lake, DAY)
    write(lake, ENRICHED_READINGS, enriched("pump-1"))
    failed = {"passed": False, "detail": "", "checked_at": NOON + timedelta(hours=1), "day": DAY, "table": "readings"}
    write(lake, QUALITY, failed | {"check": "ids", "severity": "error", "examined": 8, "offenders": 1})
    loaded = facts_of_day.load(database, lake, DAY)
    assert loaded["tables_kept"] == ["device_days", "device_hours", "reading_days"]
    assert loaded["why_kept"] == "its trends are of 6 readings, and it has 7"
    assert query("select readings, valid from facts.reading_days") == [[7, 6]]
    assert query("select check_name, passed from facts.quality_results") == [["ids", False]]


def test_what_was_loaded_of_a_day_stays_when_its_readings_are_past_their_retention(database, query, lake):
    a_day(lake)
    facts_of_day.load(database, lake, DAY)
    lake.open(ENRICHED_READINGS).delete()
    old = database.model_copy(update={"raw_retention_days": (datetime.now(UTC).date() - DAY).days - 1})
    assert facts_of_day.load(old, lake, DAY)["why_kept"].startswith("its readings are kept from ")
    assert query("select sum(late_readings) from facts.device_days") == [[2]]
    with facts.loading(database) as loading:
        loading.replace("device_days", pa.table({"event_date": pa.array([], pa.date32())}), {"event_date": DAY})
    assert facts_of_day.load(old, lake, DAY)["device_days"] == 2, "a database that was lost gets what there is"


def test_an_empty_lake_loads_nothing_and_says_so(database, lake, tmp_path):
    context = dg.build_asset_context(partition_key="2026-11-05", resources={})
    installation = Installation(lake_root=str(tmp_path / "nothing"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Installation, "settings", property(lambda _: database))
        found = reporting_facts(context, installation)
    assert found.metadata["device_days"] == 0
    assert found.metadata["threshold_versions"] == 0
    assert found.metadata["tables_missing"] == ["readings", "dead_letters", "enriched_readings", "trends", "quality"]


def test_versions_of_the_thresholds_outlive_the_lakes_memory_of_them(database, query, lake, tmp_path):
    rows = pa.Table.from_pylist([{"device_id": "*", "metric": "temperature", "upper": 85.0, "source": "rule"}])
    first = thresholds.Reason("first", "registry", 'the "first"\nlimits', {"readings_version": 3})
    thresholds.publish(lake, rows, first, replacing=0)
    thresholds.publish(lake, rows, thresholds.Reason("manual", "ada", "hot days"), replacing=1)
    facts_of_day.load(database, lake, DAY)
    kept = query("select version, published_by, kind, why, rows, made_from from facts.threshold_versions order by 1")
    assert kept == [
        [1, "registry", "first", 'the "first"\nlimits', 1, {"readings_version": 3}],
        [2, "ada", "manual", "hot days", 1, {}],
    ]
    assert query("select device_id, metric, version, upper, lower from facts.live_thresholds") == [
        ["*", "temperature", 2, 85.0, None]
    ]
    with facts.loading(database) as loading:
        loading.merge("threshold_versions", shaped.threshold_versions([]), ["version"])
    assert len(query("select version from facts.threshold_versions")) == 2


def test_a_load_that_fails_leaves_the_day_as_it_was(database, query, lake):
    a_day(lake)
    facts_of_day.load(database, lake, DAY)
    wrong = pa.table({"event_date": pa.array([DAY], pa.date32()), "readings": [None]})
    nothing = pa.table({"event_date": pa.array([], pa.date32())})

    def load():
        with facts.loading(database) as loading:
            loading.replace("device_days", nothing, {"event_date": DAY})
            loading.replace("reading_days", wrong, {"event_date": DAY})

    with pytest.raises(StackError, match=r"facts\.reading_days.*null value"):
        load()
    assert query("select count(*) from facts.device_days") == [[2]], "one table of a day does not change alone"
    assert query("select readings from facts.reading_days where event_date = :day", day=DAY) == [[7]]


def test_days_past_their_time_are_forgotten(database, query, lake):
    a_day(lake)
    facts_of_day.load(database, lake, DAY)
    assert facts.drop_before(database, DAY)["device_days"] == 0
    assert facts.drop_before(database, DAY + timedelta(days=1))["device_days"] == 2
    assert query("select count(*) from facts.device_hours") == [[0]]


def test_details_do_not_depend_on_how_the_day_was_cut_into_batches():
    names = arrow_schema("enriched_reading")
    schema = pa.schema([names.field(name) for name in shaped.DETAIL_COLUMNS])
    rows = [
        enriched(f"pump-{number % 7}", delay_seconds=float(number), interval_seconds=None if number % 3 else 30.0)
        for number in range(500)
    ]
    whole = pa.Table.from_pylist(rows, schema=schema)
    at_once = shaped.details(whole.to_batches(), 100.0).sort_by("device_id").to_pylist()
    in_pieces = shaped.details(whole.to_batches(max_chunksize=3), 100.0).sort_by("device_id").to_pylist()
    assert at_once == in_pieces
    assert sum(row["late"] for row in at_once) == 399
    assert json.dumps(at_once[0]) == json.dumps(
        {
            **{"device_id": "pump-0", "metric": "temperature", "location": "hall", "model": "m1"},
            **{"late": 57, "maintenance": 0, "interval_count": 24, "interval_sum": 720.0},
        }
    )
