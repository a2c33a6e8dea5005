"""Commands of the stack group: the local servers up, down, looked at."""

import json
import os
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(logs)


def up(
    *,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when all are ready; stop with `down`.")
    ] = False,
    only: Annotated[
        str | None, typer.Option(help="Only these, such as kafka,minio. [default: all but WITHOUT]", metavar="NAMES")
    ] = None,
) -> None:
    """Start Kafka, MinIO, PostgreSQL, InfluxDB, Dagster and a model server on this machine; Ctrl-C stops them."""
    from sensorlake import settings  # noqa: PLC0415  heavy modules are imported by the command that needs them
    from sensorlake.commands.furnish import furnish  # noqa: PLC0415
    from stack import foreground, selection  # noqa: PLC0415

    names = selection.chosen(only, os.environ)
    for name in selection.left_out(os.environ):
        typer.echo(f"{name:15} left out (WITHOUT={os.environ['WITHOUT']})")
    foreground.run(settings.load(), names, lambda ready: furnish(ready, names), detach=detach)


def down() -> None:
    """Stop the local servers and the stream that they supervise; no process of theirs is left."""
    from sensorlake import settings  # noqa: PLC0415
    from stack.up import bring_down  # noqa: PLC0415
    from streaming import checkpoint_lock  # noqa: PLC0415

    found = settings.load()
    bring_down(found)
    typer.echo("all stopped")
    if checkpoint_lock.is_held(found.checkpoint_dir):
        typer.echo("a `sensorlake stream` still runs in a terminal, without servers: Ctrl-C there ends it")


def status(*, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show what runs, where and how large it is."""
    from sensorlake import settings  # noqa: PLC0415
    from stack import selection, status_table  # noqa: PLC0415
    from stack import status as stack_status  # noqa: PLC0415

    found = stack_status.status(settings.load(), selection.left_out(os.environ))
    typer.echo(json.dumps(found, indent=2) if as_json else status_table.render(found))


def logs(
    name: Annotated[
        str,
        typer.Argument(
            help="kafka, minio, postgres, influxdb, dagster, dagster-daemon, dagster-code, model-server, stream or "
            "supervisor."
        ),
    ],
    *,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")] = False,
) -> None:
    """Print the end of a server's log."""
    from sensorlake import settings  # noqa: PLC0415
    from stack import logs as stack_logs  # noqa: PLC0415
    from stack.layout import Layout  # noqa: PLC0415

    for line in stack_logs.tail(Layout.of(settings.load()), name, lines, follow=follow):
        typer.echo(line)
