"""Everything that Dagster knows: the modules of `orchestration/defs/`, and the resources that they ask for.

    dg list defs          what there is
    dg check defs         does it load

Nothing heavy is imported here or in the modules of `defs/`: Spark, Great Expectations and Arrow are imported by the
functions that need them, as the web server and the daemon load this file again and again.
"""

import warnings

import dagster as dg


@dg.definitions
def definitions() -> dg.Definitions:
    """The whole code location."""
    with warnings.catch_warnings():
        # Versions are pinned; `load_from_defs_folder`, which is no preview, would import the components of every
        # integration that is installed, at the cost of seven seconds.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        from orchestration import defs  # noqa: PLC0415  read within the filter
        from orchestration.defs.reporting import dbt  # noqa: PLC0415
        from orchestration.resources import all as resources  # noqa: PLC0415

        return dg.Definitions.merge(
            dg.load_definitions_from_package_module(defs),
            dbt.reports(),
            # One process a run: its assets share one Spark session, and no step waits for the start of another process.
            dg.Definitions(resources=resources.resources(), executor=dg.in_process_executor),
        )
