"""Great Expectations' own pages about a run of the suites: a static site that opens from a folder."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from expectations.validation import Judged, quiet

_SITE = "quality"


@quiet()
def write(judged: Mapping[str, Sequence[Judged]], folder: Path, run: str, now: datetime) -> Path:
    """Build the pages of `judged`, what each table's suite found, in `folder`; the path of the first page.

    What could not be judged, for want of a column, has no result and is left out: the check of the columns says so.
    """
    import great_expectations as gx  # noqa: PLC0415  takes seconds to import
    from great_expectations.core import ExpectationSuiteValidationResult, RunIdentifier  # noqa: PLC0415
    from great_expectations.data_context.types.resource_identifiers import (  # noqa: PLC0415
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    context = gx.get_context(mode="ephemeral")
    for name in list(context.list_data_docs_sites()):
        context.delete_data_docs_site(name)
    context.add_data_docs_site(_SITE, _site(folder))
    run_id = RunIdentifier(run_name=run, run_time=now)
    for table, of_table in judged.items():
        results = [each.result for each in of_table if each.result is not None]
        suite = context.suites.add(gx.ExpectationSuite(table))
        for result in results:
            suite.add_expectation_configuration(result.expectation_config)
        suite.save()
        kept = ExpectationSuiteValidationResult(
            success=all(result.success for result in results),
            results=results,
            suite_name=table,
            statistics=_statistics(results),
            meta=_about(table, run_id),
        )
        key = ValidationResultIdentifier(ExpectationSuiteIdentifier(table), run_id, table)
        context.validation_results_store.add(key=key, value=kept)
    context.build_data_docs(site_names=[_SITE])
    return folder.absolute() / "index.html"


def _site(folder: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.absolute())},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "show_how_to_buttons": False,
    }


def _statistics(results: Sequence[Any]) -> dict[str, float | int | None]:
    passed = sum(result.success for result in results)
    return {
        "evaluated_expectations": len(results),
        "successful_expectations": passed,
        "unsuccessful_expectations": len(results) - passed,
        "success_percent": 100 * passed / len(results) if results else None,
    }


def _about(table: str, run_id: Any) -> dict[str, Any]:
    import great_expectations as gx  # noqa: PLC0415

    return {
        "great_expectations_version": gx.__version__,
        "run_id": run_id,
        "batch_spec": {"table": table},
        "batch_markers": {},
        "active_batch_definition": {
            "datasource_name": "lake",
            "data_connector_name": "delta",
            "data_asset_name": table,
            "batch_identifiers": {"day": run_id.run_name},
        },
    }
