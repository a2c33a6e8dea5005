"""Everything that Dagster knows: the modules of `orchestration/defs/`, and the resources that they ask for.

    dg list defs          what there is
    dg check defs         does it load

Nothing heavy is imported here or in the modules of `defs/`: Spark, Great Expectations and Arrow are imported by the
functions that need them, as the web server and the daemon load this file again and again.
"""

from pathlib import Path

import dagster as dg

from orchestration.resources import all as resources


@dg.definitions
def definitions() -> dg.Definitions:
    """The whole code location."""
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=Path(__file__).parent),
        # One process a run: its assets share one Spark session, and no step waits for the start of another process.
        dg.Definitions(resources=resources.resources(), executor=dg.in_process_executor),
    )
