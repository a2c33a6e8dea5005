"""Commands of the bench group: what this machine reaches. One module a kind of benchmark."""

import typer

from sensorlake.commands.bench import (
    catch_up,
    detection,
    lakehouse,
    latency,
    model_server,
    peers,
    ratio,
    recovery,
    scale,
    soak,
    throughput,
)

_MODULES = (latency, throughput, catch_up, scale, soak, recovery, ratio, detection, lakehouse, model_server, peers)


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    bench = typer.Typer(help="Measure on this machine, on a stack of its own.", no_args_is_help=True)
    for module in _MODULES:
        module.register(bench)
    app.add_typer(bench, name="bench")
