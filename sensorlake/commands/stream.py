"""The commands that run the streaming application and change its state."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from sensorlake import settings as settings_module
from sensorlake.errors import SettingsError


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.command()(stream)
    app.command()(reshard)


def stream(
    queries: Annotated[
        str | None,
        typer.Option(
            help="Queries to run, separated by commas: alerts, detect, lake, postgres, influxdb, "
            "anomalies, metrics, autoencoder. [default: SENSORLAKE_QUERIES, or all]"
        ),
    ] = None,
    *,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach",
            "-d",
            help="Leave it to the supervisor of `sensorlake up`, which starts it again whenever it ends, until `down`.",
        ),
    ] = False,
) -> None:
    """Run the Spark application: alerts, detectors, lake, metrics, sinks and autoencoder, until Ctrl-C or SIGTERM."""
    if detach:
        _leave_to_supervisor(queries)
        return
    from sensorlake.commands.spark import open_session  # noqa: PLC0415  Spark takes seconds to import
    from streaming import checkpoint_lock  # noqa: PLC0415

    os.umask(0o077)  # readings lie in the checkpoints: they are for their owner alone
    settings = settings_module.load(service="stream")
    wanted = queries or settings.queries
    with checkpoint_lock.held(settings.checkpoint_dir), ThreadPoolExecutor(1, "session") as beside:
        # Java and Spark take as long to start as Python to import the rest.
        session = beside.submit(open_session, settings)
        from streaming import application  # noqa: PLC0415
        from streaming.queries import QUERIES  # noqa: PLC0415

        names = list(QUERIES) if wanted == "all" else [name.strip() for name in wanted.split(",") if name.strip()]
        application.run(settings, names, session.result)


def _leave_to_supervisor(queries: str | None) -> None:
    from stack import supervisor  # noqa: PLC0415

    if queries is not None:
        raise SettingsError(
            "--detach runs the queries that SENSORLAKE_QUERIES named at `sensorlake up`: leave out --queries"
        )
    supervisor.start_program(settings_module.load(), "stream")
    typer.echo("the stream starts: `sensorlake status` shows its queries, `sensorlake logs stream -f` what it says")


def reshard() -> None:
    """Divide what the query detect knows into SENSORLAKE_DETECT_SHARDS shards, with the stream stopped."""
    from sensorlake.commands.spark import open_session  # noqa: PLC0415  Spark takes seconds to import
    from streaming import checkpoint_lock  # noqa: PLC0415
    from streaming.detect import reshard as work  # noqa: PLC0415

    os.umask(0o077)
    settings = settings_module.load(service="stream")
    with checkpoint_lock.held(settings.checkpoint_dir):
        spark = open_session(settings)
        done = work.reshard(spark, settings)
        spark.stop()
    typer.echo(f"{done.devices} devices in {done.shards} shards; the checkpoint before is kept in {done.kept}")
