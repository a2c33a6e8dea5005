"""A night of the whole graph: what Dagster asks for by itself, and in which order."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from orchestration.automation import checks_hold_up, when_inputs_change
from orchestration.defs.lake import sensors
from sensorlake.settings import PREFIX

MIDNIGHT = datetime(2026, 11, 18, tzinfo=UTC)
YESTERDAY = "2026-11-17"


@pytest.fixture
def definitions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dg.Definitions:
    monkeypatch.setenv(PREFIX + "DATA_DIR", str(tmp_path))
    monkeypatch.setenv(PREFIX + "FIRST_DAY", "2026-11-10")
    from orchestration.definitions import definitions  # noqa: PLC0415  reads the settings

    return definitions()


def test_a_day_is_a_run_with_the_checks_of_what_its_assets_are_made_of() -> None:
    # In a backfill `trends`, which reads its own day before, would have a run of its own, past those checks.
    assert not sensors.conditions.emit_backfills


def test_what_a_blocking_check_held_up_is_not_asked_for_in_a_run_without_the_check() -> None:
    passes = False

    @dg.asset(automation_condition=dg.AutomationCondition.eager())
    def given() -> None: ...

    @dg.asset_check(asset=given, blocking=True)
    def sound() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=passes)

    @dg.asset(deps=[given], automation_condition=when_inputs_change() & ~checks_hold_up())
    def made() -> None: ...

    definitions = dg.Definitions(assets=[given, made], asset_checks=[sound])
    cursor = None
    with dg.DagsterInstance.ephemeral() as instance:

        def asked() -> int:
            nonlocal cursor
            wanted = dg.AssetSelection.assets(made)
            told = dg.evaluate_automation_conditions(definitions, instance, asset_selection=wanted, cursor=cursor)
            cursor = told.cursor
            return told.get_num_requested(made.key)

        asked()
        job = definitions.resolve_implicit_global_asset_job_def()
        job.execute_in_process(instance=instance, asset_selection=[given.key], raise_on_error=False)
        assert asked() == 0
        passes = True
        job.execute_in_process(instance=instance, asset_selection=[given.key])
        assert asked() == 1


def test_each_asset_of_a_day_is_made_once_and_after_what_it_is_made_of(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    by_day = [
        key
        for level in graph.toposorted_asset_keys_by_level
        for key in level
        if graph.get(key).is_partitioned and graph.get(key).is_materializable
    ]
    made: list[dg.AssetKey] = []
    cursor = None
    with dg.DagsterInstance.ephemeral() as instance:
        for minutes in range(10, 40):
            told = dg.evaluate_automation_conditions(
                definitions,
                instance,
                asset_selection=dg.AssetSelection.all(),
                evaluation_time=MIDNIGHT + timedelta(minutes=minutes),
                cursor=cursor,
            )
            cursor = told.cursor
            for key in (key for key in by_day if told.get_num_requested(key)):
                days = told.get_requested_partitions(key)
                made += [key] * (YESTERDAY in days)
                for day in days:
                    instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=day))
    assert Counter(made) == Counter(by_day), "what is made twice takes processors from the alerts"
    for key in by_day:
        parents = (graph.get(key).parent_keys - {key}) & set(by_day)
        assert all(made.index(parent) < made.index(key) for parent in parents), key
