"""What dbt's manifest says, as Dagster's assets, checks and exposures.

dagster-dbt would derive the same, but imports dbt for it, which takes longer than everything else that the code
location loads. It does its part in the runs (orchestration/reports/building.py).
"""

from collections.abc import Iterable, Mapping, Set
from typing import Any

import dagster as dg

Manifest = Mapping[str, Any]
Node = Mapping[str, Any]

OWNERS = ["team:sensorlake-data"]
DAILY = "daily"
_BUILT = ("model", "snapshot")
# An hour late is soon enough for tables that say how the last days were; a run takes processors from the stream.
_EVERY_HOUR = "10 * * * *"


def key(node: Node) -> dg.AssetKey:
    """The asset of a model, snapshot or source. All of schema `facts` is one asset: one load brings it."""
    if node["resource_type"] == "source" and node["source_name"] == "facts":
        return dg.AssetKey("reporting_facts")
    name = node["identifier"] if node["resource_type"] == "source" else node["name"]
    return dg.AssetKey(["postgres", node["schema"], name])


def built(manifest: Manifest, *, daily: bool) -> dict[dg.AssetKey, Node]:
    """What dbt builds, by asset: either what is built by day, or the rest."""
    nodes = (node for node in manifest["nodes"].values() if node["resource_type"] in _BUILT)
    return {key(node): node for node in nodes if (DAILY in node["tags"]) is daily}


def specs(manifest: Manifest, *, daily: bool) -> list[dg.AssetSpec]:
    views = built(manifest, daily=True).keys()
    return [
        dg.AssetSpec(
            asset,
            deps=(deps := _upstream(manifest, node["depends_on"]["nodes"])),
            description=node["description"].strip(),
            group_name="reporting",
            owners=OWNERS,
            kinds={"dbt", "postgres"},
            tags={"layer": node["fqn"][1]},
            code_version=node["checksum"]["checksum"][:16],
            automation_condition=_after_the_facts()
            if daily
            else _now_and_then(any(dep.asset_key in views for dep in deps)),
            skippable=True,
            metadata={
                "dagster/table_name": f"{node['schema']}.{node['name']}",
                "materialized": node["config"]["materialized"],
                **_columns(node),
            },
        )
        for asset, node in built(manifest, daily=daily).items()
    ]


def checks(manifest: Manifest, assets: Set[dg.AssetKey]) -> dict[dg.AssetCheckKey, dg.AssetCheckSpec]:
    """The data tests of `assets`, each on the one that it stands beside."""
    found = {}
    for test in manifest["nodes"].values():
        if test["resource_type"] != "test" or test.get("attached_node") not in manifest["nodes"]:
            continue
        asset = key(manifest["nodes"][test["attached_node"]])
        if asset not in assets:
            continue
        others = {each.asset_key for each in _upstream(manifest, test["depends_on"]["nodes"])} - {asset}
        spec = dg.AssetCheckSpec(
            test["name"],
            asset=asset,
            additional_deps=sorted(others),
            description=test["description"] or _sentence(test),
            # What is built on a table that fails a test would be wrong, too: dbt does not build it.
            blocking=test["config"]["severity"].lower() == "error",
        )
        found[spec.key] = spec
    return found


def sources(manifest: Manifest) -> dict[str, dg.AssetCheckSpec]:
    """The checks of how old a source is, by dbt's name of it ("stream.anomalies"), where its YAML says what is old."""
    return {
        f"{node['source_name']}.{node['name']}": dg.AssetCheckSpec(
            f"source_freshness_{node['source_name']}_{node['name']}",
            asset=key(node),
            description=f"dbt source freshness: the newest {node['loaded_at_field']} of {node['schema']}."
            f"{node['identifier']} is not older than {span(old['error_after']) or span(old['warn_after'])}.",
        )
        for node in manifest["sources"].values()
        if (old := node["freshness"]) and (span(old["warn_after"]) or span(old["error_after"]))
    }


def span(limit: Mapping[str, Any] | None) -> str | None:
    """
    >>> span({"count": 2, "period": "day"})
    '2 days'
    >>> span({"count": None, "period": None})
    """
    return f"{limit['count']} {limit['period']}s" if limit and limit["count"] else None


def exposures(manifest: Manifest) -> list[dg.AssetSpec]:
    """The dashboards: nothing here builds them, they end the graph."""
    return [
        dg.AssetSpec(
            dg.AssetKey(["dashboards", each["name"]]),
            deps=_upstream(manifest, each["depends_on"]["nodes"]),
            description=each["description"].strip(),
            group_name="reporting",
            owners=OWNERS,
            kinds={"dashboard"},
            metadata={"url": dg.MetadataValue.url(each["url"]), "owner": each["owner"]["name"]},
        )
        for each in manifest["exposures"].values()
    ]


def _after_the_facts() -> dg.AutomationCondition[dg.AssetKey]:
    """When the day's facts were loaded. Not when any input changes: the stream's anomalies change all the time, are not
    divided into days, and would ask for every day that there is. And not when the facts are about to be loaded: Dagster
    asks assets in the order of the graph, so those that do not stand behind the facts would not know it yet, and be
    built after what is built on them."""
    facts = dg.AssetKey("reporting_facts")
    loaded = dg.AutomationCondition.asset_matches(facts, dg.AutomationCondition.newly_updated())
    running = dg.AutomationCondition.asset_matches(facts, dg.AutomationCondition.in_progress())
    condition = loaded.since_last_handled() & ~running & ~dg.AutomationCondition.in_progress()
    return condition.with_label("after the facts")


def _now_and_then(of_views: bool) -> dg.AutomationCondition[dg.AssetKey]:
    """Once an hour, failed or not: a tick passes, where "is stale" would last. Views are made with the
    first day that is loaded; before it what reads them has to wait."""
    ticked = dg.AutomationCondition.cron_tick_passed(_EVERY_HOUR, "UTC").since_last_handled()
    condition = ticked & ~dg.AutomationCondition.in_progress()
    if of_views:
        condition = condition & dg.AutomationCondition.any_deps_match(~dg.AutomationCondition.missing())
    return condition.with_label("every hour")


def _upstream(manifest: Manifest, identifiers: Iterable[str]) -> list[dg.AssetDep]:
    nodes = (manifest["nodes"].get(each) or manifest["sources"][each] for each in identifiers)
    return [dg.AssetDep(asset) for asset in sorted({key(node) for node in nodes})]


def _columns(node: Node) -> dict[str, Any]:
    columns = [
        dg.TableColumn(name, column["data_type"] or "?", description=column["description"] or None)
        for name, column in node["columns"].items()
    ]
    # Of the marts only, whose contracts hold every column.
    whole = node["config"].get("contract", {}).get("enforced") and columns
    return {"dagster/column_schema": dg.TableSchema(columns)} if whole else {}


def _sentence(test: Node) -> str:
    """
    >>> _sentence({"test_metadata": {"name": "between", "kwargs": {"column_name": "health", "least": 0, "model": "m"}}})
    'health: between (least 0)'
    """
    metadata = test["test_metadata"]
    given = {name: value for name, value in metadata["kwargs"].items() if name not in ("model", "column_name")}
    told = ", ".join(f"{name} {value}" for name, value in given.items())
    column = metadata["kwargs"].get("column_name")
    return (f"{column}: " if column else "") + metadata["name"].replace("_", " ") + (f" ({told})" if told else "")
