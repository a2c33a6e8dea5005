"""Runs dbt by dagster-dbt and tells Dagster what came of each model and test. Imports dbt: only runs import this."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource

from orchestration.reports import graph, project
from sensorlake.settings import Settings

Result = dg.MaterializeResult[Any] | dg.AssetCheckResult


class Translator(DagsterDbtTranslator):
    """dagster-dbt's names for things are the graph's."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        return graph.key(dbt_resource_props)


def build(
    context: dg.AssetExecutionContext, settings: Settings, manifest: graph.Manifest, values: Mapping[str, str]
) -> Iterator[Result]:
    """Build and test what the run selected, with the variables `values`.

    Raises:
        DagsterDbtCliRuntimeError: a model could not be built or a test failed; what came before it is told first.
    """
    wanted = names(manifest, context.selected_asset_keys, context.selected_asset_check_keys)
    with tempfile.TemporaryDirectory(prefix="sensorlake-dbt-") as aside, _environment(settings):
        dbt = DbtCliResource(project.PROJECT, profiles_dir=project.PROJECT, dbt_executable=project.executable())
        told = dbt.cli(
            arguments(wanted, values),
            manifest=dict(manifest),
            dagster_dbt_translator=Translator(DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)),
            target_path=Path(aside),
        )
        for event in told.stream().fetch_row_counts().fetch_column_metadata():
            if isinstance(event, dg.AssetMaterialization):
                yield dg.MaterializeResult(asset_key=event.asset_key, metadata=event.metadata)
            elif (
                isinstance(event, dg.AssetCheckEvaluation)
                and event.asset_check_key in context.selected_asset_check_keys
            ):
                yield dg.AssetCheckResult(
                    asset_key=event.asset_key,
                    check_name=event.check_name,
                    passed=event.passed,
                    severity=event.severity,
                    metadata=event.metadata,
                )


def names(manifest: graph.Manifest, assets: "set[dg.AssetKey]", checks: "set[dg.AssetCheckKey]") -> list[str]:
    """dbt's names of the models and tests selected."""
    models = [
        node["name"]
        for daily in (True, False)
        for asset, node in graph.built(manifest, daily=daily).items()
        if asset in assets
    ]
    return sorted(models) + sorted(check.name for check in checks)


def arguments(wanted: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """
    >>> arguments(["top_devices", "device_health"], {})
    ['build', '--select', 'top_devices device_health', '--indirect-selection', 'empty', '--vars', '{}']
    """
    # Tests are named one by one: dbt would add those that Dagster does not expect.
    return ["build", "--select", " ".join(wanted), "--indirect-selection", "empty", "--vars", json.dumps(dict(values))]


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """The process of this run gets dbt's variables while dbt runs: dagster-dbt hands its own environment on, and reads
    row counts and columns by dbt's profile in this process."""
    ours = project.variables(settings) | {"DBT_TARGET_PATH": str(project.manifest_file(settings).parent)}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
