"""The command that shows the whole product at work."""

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.command()(demo)


def demo(
    *,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=1e7,
            envvar="DEMO_SECONDS",
            help="How long readings are sent; starting and counting come on top. [default: until Ctrl-C]",
        ),
    ] = None,
) -> None:
    """Run everything on real data: servers, stream, two recorded series and simulated sensors, with a live panel.

    Ctrl-C ends it: everything is counted, then stopped. A second Ctrl-C spares the wait for what is on its way. The
    last line is `DEMO ` and a JSON object. `WITHOUT=influxdb` in the environment leaves InfluxDB out.
    """
    from sensorlake import settings  # noqa: PLC0415  heavy modules are imported by the command that needs them
    from sensorlake.demo import run  # noqa: PLC0415

    raise typer.Exit(run.run(settings.load(), seconds))
