"""How old the sources of the reports are, as `dbt source freshness` finds them."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from orchestration.reports import graph, project
from sensorlake.errors import ReportError
from sensorlake.settings import Settings

# dbt takes a table without rows for one that was loaded in the year 1.
_NEVER = "0001-01-01"


def ask(settings: Settings, names: Sequence[str]) -> list[dict[str, Any]]:
    """What dbt says of each of the sources `names` ("stream.anomalies").

    Raises:
        ReportError: dbt could not ask, of one of them or at all.
    """
    with tempfile.TemporaryDirectory(prefix="sensorlake-dbt-") as aside:
        told = Path(aside) / "sources.json"
        done = subprocess.run(
            [project.executable(), "--quiet", "source", "freshness", "--output", str(told), "--select"]
            + [f"source:{name}" for name in names],
            env={**os.environ, **project.variables(settings), "DBT_TARGET_PATH": aside},
            capture_output=True,
            text=True,
            check=False,
        )
        # Sources that are too old end dbt with 1 as well.
        results: list[dict[str, Any]] = json.loads(told.read_bytes())["results"] if told.is_file() else []
    failed = [result["error"] for result in results if result["status"] == "runtime error"]
    if failed or not results:
        said = failed[0] if failed else (done.stdout + done.stderr).strip()[-2000:] or "it found none of them"
        raise ReportError(f"dbt could not say how old {', '.join(names)} are: {said}")
    return results


def evaluation(result: Mapping[str, Any], spec: dg.AssetCheckSpec) -> dg.AssetCheckResult:
    """What the check of a source shows. A source without a row is no fault of an installation that has just begun."""
    limits = {name: result["criteria"].get(name) for name in ("warn_after", "error_after")}
    never = result["max_loaded_at"].startswith(_NEVER)
    hours = result["max_loaded_at_time_ago_in_s"] / 3600
    said = "it has no row yet, or none as young as dbt looks at" if never else f"its newest row is {hours:.1f} h old"
    newest = {} if never else {"newest": dg.MetadataValue.text(result["max_loaded_at"]), "age_hours": round(hours, 2)}
    return dg.AssetCheckResult(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=result["status"] == "pass",
        severity=dg.AssetCheckSeverity.ERROR
        if result["status"] == "error" and not never
        else dg.AssetCheckSeverity.WARN,
        description=said,
        metadata={**newest, **{name: graph.span(limit) for name, limit in limits.items() if graph.span(limit)}},
    )
