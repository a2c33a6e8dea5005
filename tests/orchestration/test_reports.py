"""The reports as assets: their graph, and when they run by themselves."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from orchestration.defs.lake.partitions import days
from orchestration.defs.reporting import dbt as reporting
from orchestration.defs.reporting.facts import reporting_facts
from orchestration.reports import graph, project
from sensorlake import settings as settings_module

NOW = datetime(2026, 11, 18, 9, 1, tzinfo=UTC)
FACTS = dg.AssetKey("reporting_facts")
TOP, HEALTH, HISTORY = (
    dg.AssetKey(["postgres", "reporting", name]) for name in ("top_devices", "device_health", "devices_history")
)
STREAM = dg.AssetKey(["postgres", "stream", "anomalies"])
QUALITY = dg.AssetKey("data_quality_report")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> graph.Manifest:
    return project.manifest(settings_module.load(tmp_path_factory.mktemp("reports")))


@pytest.fixture
def definitions(manifest: graph.Manifest, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    monkeypatch.setattr(project, "manifest", lambda _: manifest)
    made = dg.Definitions.merge(
        reporting.reports(),
        dg.Definitions(
            assets=[
                reporting_facts,
                dg.AssetSpec(QUALITY, partitions_def=days()),
                dg.AssetSpec(STREAM),
            ],
            resources={"installation": 1},
        ),
    )
    dg.Definitions.validate_loadable(made)
    return made


class Clock:
    """Ticks of the daemon; each says which partitions of which assets it asked for."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self._definitions, self._instance = definitions, instance
        self._cursor, self.now = None, NOW
        self.tick()

    def tick(self, minutes: float = 1) -> dict[dg.AssetKey, set[str] | None]:
        self.now += timedelta(minutes=minutes)
        result = dg.evaluate_automation_conditions(
            self._definitions,
            self._instance,
            asset_selection=dg.AssetSelection.all(),
            evaluation_time=self.now,
            cursor=self._cursor,
        )
        self._cursor = result.cursor
        found = self._definitions.resolve_asset_graph()
        return {
            each.key: result.get_requested_partitions(each.key) if found.get(each.key).is_partitioned else None
            for each in result.results
            if result.get_num_requested(each.key)
        }

    def happened(self, asset: dg.AssetKey, partition: str | None = None) -> None:
        self._instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=partition))


@pytest.fixture
def clock(definitions: dg.Definitions) -> Iterator[Clock]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Clock(definitions, instance)


def test_one_graph_leads_from_the_facts_and_the_stream_to_the_dashboards(definitions):
    found = definitions.resolve_asset_graph()
    overview = dg.AssetKey(["dashboards", "fleet_overview"])
    assert {TOP, HEALTH} <= found.get(overview).parent_keys
    ancestors, reached = {overview}, {overview}
    while reached:
        reached = {parent for asset in reached for parent in found.get(asset).parent_keys} - ancestors
        ancestors |= reached
    assert {FACTS, STREAM, dg.AssetKey(["postgres", "registry", "devices"]), QUALITY} <= ancestors
    assert not found.get(overview).is_executable


def test_every_report_has_a_description_an_owner_its_columns_and_checks(manifest, definitions):
    specs = graph.specs(manifest, daily=True) + graph.specs(manifest, daily=False)
    assert len(specs) == len([*project.PROJECT.glob("models/**/*.sql"), *project.PROJECT.glob("snapshots/*.yml")])
    assert all(spec.description and spec.owners == graph.OWNERS and spec.group_name == "reporting" for spec in specs)
    marts = {spec.key for spec in specs if spec.tags["layer"] == "marts"}
    assert {spec.key for spec in specs if "dagster/column_schema" in spec.metadata} == marts
    checked = {check.asset_key for check in graph.checks(manifest, marts)}
    assert checked == marts
    health = next(spec for spec in specs if spec.key == HEALTH)
    assert [each.name for each in health.metadata["dagster/column_schema"].columns][:3] == [
        "event_date",
        "device_id",
        "location",
    ]


def test_a_day_that_was_loaded_is_reported_once(clock, manifest):
    assert not clock.tick()
    clock.happened(FACTS, "2026-11-16")
    daily = set(graph.built(manifest, daily=True))
    assert clock.tick() == {asset: {"2026-11-16"} for asset in daily}
    assert [clock.tick() for _ in range(2)] == [{}, {}]


def test_no_report_is_asked_for_before_the_facts_that_it_reads_are_loaded(clock, manifest):
    """A run with the facts and some of the reports would build the others a tick later, after what is built on them."""
    clock.happened(QUALITY, "2026-11-16")
    assert clock.tick() == {FACTS: {"2026-11-16"}}
    assert clock.tick() == {}
    clock.happened(FACTS, "2026-11-16")
    assert clock.tick() == {asset: {"2026-11-16"} for asset in graph.built(manifest, daily=True)}


def test_what_the_stream_writes_asks_for_no_day(clock):
    for _ in range(3):
        clock.happened(STREAM)
        assert not clock.tick()


def test_other_reports_wait_for_the_first_day_and_then_run_once_an_hour(clock, manifest):
    whole = set(graph.built(manifest, daily=False))
    assert not clock.tick(minutes=5)
    assert set(clock.tick(minutes=50)) == {HISTORY}
    for asset in graph.built(manifest, daily=True):
        clock.happened(asset, "2026-11-17")
    assert set(clock.tick()) == whole - {HISTORY}
    assert [clock.tick() for _ in range(2)] == [{}, {}]
    assert set(clock.tick(minutes=60)) == whole
    assert [clock.tick() for _ in range(2)] == [{}, {}]


def test_how_old_the_sources_are_is_asked_once_an_hour(definitions):
    checks = {check for check in definitions.resolve_asset_graph().asset_check_keys if "source_freshness" in check.name}
    assert {check.asset_key for check in checks} == {FACTS, STREAM}
    schedule = definitions.resolve_schedule_def("source_ages_hourly")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert definitions.resolve_job_def(schedule.job_name).asset_layer.asset_graph.asset_check_keys == checks
