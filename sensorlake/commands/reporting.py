"""Commands of the reporting group: dbt with this installation's database, and the reports' documentation."""

import contextlib
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.command(
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
        add_help_option=False,
    )(dbt)
    app.command(name="dbt-docs")(dbt_docs)


def dbt(context: typer.Context) -> None:
    """Run dbt on the reports: `sensorlake dbt build`, `sensorlake dbt show --select top_devices`, ..."""
    from orchestration.reports import project  # noqa: PLC0415  heavy modules are imported by the command that needs them
    from sensorlake import settings  # noqa: PLC0415

    project.become(settings.load(), context.args or ["--help"])


def dbt_docs(
    *,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where on 127.0.0.1 to serve them.")] = 8580,
) -> None:
    """Make the documentation of the reports and serve it until Ctrl-C: models, columns, tests, lineage."""
    from orchestration.reports import documentation, project  # noqa: PLC0415
    from sensorlake import settings  # noqa: PLC0415

    own = settings.load()
    with documentation.server(project.target(own), port) as server:
        if status := project.run(own, ["--quiet", "docs", "generate"]):
            raise typer.Exit(status)
        typer.echo(f"documentation of the reports: http://127.0.0.1:{port} (Ctrl-C ends it)")
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
