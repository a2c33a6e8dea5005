"""The reports on a real PostgreSQL: a handful of devices, and every figure that they should come to."""

import os
import subprocess
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from orchestration.defs.reporting import dbt as reporting
from orchestration.reports import freshness as source_ages
from orchestration.reports import graph, project
from orchestration.resources.installation import Installation
from sensorlake.errors import ReportError
from sensorlake.settings import Settings

pytestmark = pytest.mark.integration

TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
MARTS = sorted(path.stem for path in project.PROJECT.glob("models/marts/**/*.sql"))


def build(settings: Settings, *arguments: str) -> str:
    done = subprocess.run(
        [project.executable(), "--warn-error", "build", *arguments],
        env=os.environ | project.variables(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def anomaly(query, name: str, device: str, when: datetime, **changes) -> None:
    row = {"metric": "temperature", "detector": "z_score", "severity": "warning", "version": 2} | changes
    query(
        "insert into stream.anomalies (anomaly_id, device_id, sensor_id, metric, event_time, value, score, threshold, "
        "detector, severity, is_anomaly, threshold_version, detected_at, event_date) values (:name, :device, :device, "
        ":metric, :at, 1, 7, 6, :detector, :severity, true, :version, :at, :day)",
        **row,
        name=name,
        device=device,
        at=when,
        day=when.date(),
    )


def device_day(query, day: date, device: str, readings: int, abnormal: int, **changes) -> None:
    row = {"metric": "temperature", "gap_seconds": 0.0, "low": 10.0, "mean": 20.0, "location": "hall"} | changes
    query(
        "insert into facts.device_days (event_date, device_id, metric, readings, mean, stddev, min, max, anomalies, "
        "gaps, gap_seconds, late_readings, maintenance_readings, location, model) values (:day, :device, :metric, "
        ":readings, :mean, 1, :low, 30, :abnormal, 0, :gap_seconds, 0, 0, :location, 'm1')",
        **row,
        day=day,
        device=device,
        readings=readings,
        abnormal=abnormal,
    )


def contents(query) -> dict[str, list]:
    """Every row of every report, but for when checks and snapshots ran."""
    return {mart: sorted(map(repr, query(f"select * from reporting.{mart}"))) for mart in MARTS}


def test_an_empty_database_builds_with_all_its_tests(database, query):
    build(database)
    assert contents(query) == {mart: [] for mart in MARTS}


@pytest.fixture(scope="module")
def filled(database: Settings) -> Settings:
    """Two days of three devices, one of which nobody registered."""
    from lakehouse import postgres  # noqa: PLC0415  as the fixture `query`, for the whole module

    connection = postgres.connect(database, "tests")
    query = connection.run
    for device in ("pump-1", "pump-2"):
        query(
            "insert into registry.devices (device_id, model, location, installed_at) values (:d, 'm1', 'hall', :at)",
            d=device,
            at=at(YESTERDAY, 0) - timedelta(days=300),
        )
    device_day(query, YESTERDAY, "pump-1", 1000, 2)
    device_day(query, YESTERDAY, "pump-1", 100, 0, metric="battery", low=17.5)
    device_day(query, YESTERDAY, "pump-2", 1000, 0, gap_seconds=10_800.0)
    device_day(query, YESTERDAY, "stray", 500, 10, location="yard")
    device_day(query, TODAY, "pump-1", 100, 1)
    anomaly(query, "a", "pump-1", at(YESTERDAY, 0))
    anomaly(query, "b", "pump-1", at(YESTERDAY, 0), detector="hard_limit", severity="critical", version=None)
    anomaly(query, "c", "pump-1", at(YESTERDAY, 6))
    anomaly(query, "d", "stray", NOW, severity="critical")
    for name, verdict, minute in (("a", True, 1), ("a", False, 2), ("c", True, 3)):
        query(
            "insert into registry.feedback (anomaly_id, verdict, given_by, given_at) values (:n, :v, 'ada', :at)",
            n=name,
            v=verdict,
            at=NOW + timedelta(minutes=minute),
        )
    repaired = at(YESTERDAY, 12)
    query(
        "insert into registry.maintenance (device_id, started_at, ended_at, kind) values ('pump-1', :a, :b, 'repair')",
        a=repaired,
        b=repaired + timedelta(hours=1),
    )
    for hours, abnormal in ((-3, 4), (-1, 2), (0, 100), (1, 1), (2, 0)):
        hour = repaired + timedelta(hours=hours)
        query(
            "insert into facts.device_hours values (:day, :hour, 'pump-1', 60, :abnormal)",
            day=hour.date(),
            hour=hour,
            abnormal=abnormal,
        )
    query("insert into facts.reading_days values (:day, 2610, 2600, 10, 26, 90)", day=YESTERDAY)
    for check, passed in (("ids", True), ("gaps", False), ("total.messages", True)):
        query(
            "insert into facts.quality_results values "
            "(:day, 'readings', :check, 'warning', :passed, 10, :bad, null, '', now())",
            day=YESTERDAY,
            check=check,
            passed=passed,
            bad=0 if passed else 3,
        )
    query(
        "insert into facts.threshold_versions values (2, 5, :at, 'ada', 'manual', 'hot days', 9, 3, 1, '{}')",
        at=repaired - timedelta(hours=2, minutes=30),
    )
    connection.close()
    build(database, "--full-refresh", "--exclude-resource-type", "unit_test")
    return database


def test_reports_say_what_the_rows_come_to(filled, query):
    # In the first hours of a day pump-1 is among them, by what it did yesterday.
    top = "select device_id, location, anomalies, critical from reporting.top_devices where place = 1"
    assert query(top) == [["stray", None, 1, 1]]
    assert query(
        "select location, devices, readings, anomalies, critical, devices_with_anomalies, anomaly_rate "
        "from reporting.anomalies_by_location where event_date = :day order by location",
        day=YESTERDAY,
    ) == [["hall", 2, 2100, 3, 1, 1, 2 / 2100], ["yard", 1, 500, 0, 0, 0, 0.02]]
    assert query(
        "select device_id, health, lowest_battery from reporting.device_health where event_date = :day order by 1",
        day=YESTERDAY,
    ) == [["pump-1", 85.2, 17.5], ["pump-2", 85.0, None], ["stray", 60.0, None]]
    assert query(
        "select hours_before, anomalies_before, rate_before, hours_after, anomalies_after, rate_after, rate_change "
        "from reporting.maintenance_effect"
    ) == [[2, 6, 3.0, 2, 1, 0.5, -2.5]]
    assert query(
        "select device_id, abnormal_readings, mean_seconds from reporting.time_between_anomalies order by device_id"
    ) == [["pump-1", 2, 21_600.0], ["stray", 1, None]]
    assert query(
        "select detector, anomalies, readings, alarm_rate, judged, false_alarms, false_alarm_share "
        "from reporting.detector_quality order by detector"
    ) == [["hard_limit", 1, 2600, 1 / 2600, 0, 0, None], ["z_score", 3, 2600, 3 / 2600, 2, 1, 0.5]]
    assert query(
        "select threshold_version, readings, anomalies, judged, false_alarms, why "
        "from reporting.threshold_version_quality"
    ) == [[2, 270, 3, 2, 1, "hot days"]]
    assert query(
        "select checks, failed_errors, failed_warnings, passed_share, failed_checks from reporting.data_quality_history"
    ) == [[2, 0, 1, 0.5, "gaps"]]
    assert query("select valid_readings, dead_letter_share, late_share from reporting.messages_by_day") == [
        [2600, 90 / 2700, 0.01]
    ]


def test_a_day_that_is_built_again_changes_nothing_and_one_that_emptied_is_empty(filled, query):
    one_day = ["--vars", f"{{from_day: {YESTERDAY}, to_day: {YESTERDAY}}}", "--select", "tag:daily"]
    before = contents(query)
    build(filled, *one_day)
    assert contents(query) == before
    kept = query("select * from facts.reading_days")
    query("delete from facts.reading_days")
    build(filled, *one_day)
    assert query("select * from reporting.messages_by_day") == []
    assert query("select count(*) from reporting.device_health where event_date = :day", day=TODAY) == [[1]]
    query(
        "insert into facts.reading_days values (:day, 2610, 2600, 10, 26, 90)",
        day=kept[0][0],
    )


def test_the_snapshot_remembers_where_a_device_was(filled, query):
    query("update registry.devices set location = 'roof' where device_id = 'pump-2'")
    build(filled, "--select", "devices_history")
    states = (
        "select location, dbt_valid_to is null from reporting.devices_history where device_id = 'pump-2' order by 2"
    )
    assert query(states) == [["hall", False], ["roof", True]]
    query("update registry.devices set location = 'hall' where device_id = 'pump-2'")


def test_dagster_builds_a_day_with_its_checks_and_then_the_rest(filled, query, monkeypatch):
    monkeypatch.setattr(Installation, "settings", property(lambda _: filled))
    monkeypatch.setattr(reporting.settings_module, "load", lambda: filled)
    manifest = project.manifest(filled)
    definitions = reporting.reports()
    assets = [each for each in definitions.assets or [] if isinstance(each, dg.AssetsDefinition)]
    with dg.DagsterInstance.ephemeral() as instance:
        daily = dg.materialize(
            assets,
            selection=dg.AssetSelection.assets(*graph.built(manifest, daily=True)),
            partition_key=YESTERDAY.isoformat(),
            instance=instance,
            resources={"installation": Installation()},
        )
        whole = dg.materialize(
            assets,
            selection=dg.AssetSelection.assets(*graph.built(manifest, daily=False)),
            instance=instance,
            resources={"installation": Installation()},
        )
    told = {event.asset_key: event.materialization for event in daily.get_asset_materialization_events()}
    assert told.keys() == graph.built(manifest, daily=True).keys()
    health = told[dg.AssetKey(["postgres", "reporting", "device_health"])]
    assert health.metadata["dagster/row_count"].value == 4
    assert health.partition == YESTERDAY.isoformat()
    lineage = health.metadata["dagster/column_lineage"].value.deps_by_column
    assert [each.column_name for each in lineage["lowest_battery"]] == ["lowest_battery"]
    checked = daily.get_asset_check_evaluations() + whole.get_asset_check_evaluations()
    every = graph.checks(manifest, {*graph.built(manifest, daily=True), *graph.built(manifest, daily=False)})
    assert {each.asset_check_key for each in checked} == every.keys()
    assert all(each.passed for each in checked)


def freshness(settings: Settings, instance: dg.DagsterInstance) -> dict[str, dg.AssetCheckEvaluation]:
    """The checks of the sources' age, as Dagster runs them."""
    (checks,) = reporting.reports().asset_checks
    result = dg.materialize(
        [checks],
        selection=dg.AssetSelection.checks(checks),
        instance=instance,
        resources={"installation": Installation()},
    )
    return {each.check_name.removeprefix("source_freshness_"): each for each in result.get_asset_check_evaluations()}


def test_checks_say_how_old_the_sources_are(filled, query, monkeypatch):
    monkeypatch.setattr(Installation, "settings", property(lambda _: filled))
    monkeypatch.setattr(reporting.settings_module, "load", lambda: filled)
    with dg.DagsterInstance.ephemeral() as instance:
        told = freshness(filled, instance)
        assert told.keys() == {"stream_anomalies", "facts_device_days"}
        assert all(each.passed for each in told.values())
        assert told["facts_device_days"].asset_key == dg.AssetKey("reporting_facts")
        query("update stream.anomalies set stored_at = now() - interval '30 hours'")
        query("update facts.device_days set event_date = event_date - 10")
        told = freshness(filled, instance)
        assert [(each.passed, each.severity) for each in (told["stream_anomalies"], told["facts_device_days"])] == [
            (False, dg.AssetCheckSeverity.WARN),
            (False, dg.AssetCheckSeverity.ERROR),
        ]
        assert told["stream_anomalies"].metadata["age_hours"].value == pytest.approx(30, abs=0.1)
        assert told["stream_anomalies"].metadata["warn_after"].value == "24 hours"
        query("delete from facts.device_days")
        (never,) = [each for name, each in freshness(filled, instance).items() if name == "facts_device_days"]
        assert (never.passed, never.severity) == (False, dg.AssetCheckSeverity.WARN), "nothing was loaded yet"


def test_a_database_that_does_not_answer_is_no_old_source(filled):
    with pytest.raises(ReportError, match=r"dbt could not say how old stream\.anomalies"):
        source_ages.ask(filled.model_copy(update={"postgres_port": 1}), ["stream.anomalies"])
