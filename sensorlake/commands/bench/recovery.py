"""`sensorlake bench recovery`."""

from typing import Annotated

import typer

from sensorlake.commands.bench import options
from sensorlake.errors import SettingsError


def register(bench: typer.Typer) -> None:
    bench.command()(recovery)


def recovery(
    *,
    rate: options.Rate = 10_000,
    sensors: options.Sensors = 10_000,
    before: Annotated[float, typer.Option(min=10, max=86_400, help="Seconds of load before the kill.")] = 180,
    after: Annotated[float, typer.Option(min=30, max=86_400, help="Seconds of load after it.")] = 180,
    violations: options.Violations = 0.01,
    queries: options.Queries = "all",
    seed: options.Seed = 0,
    json: options.Json = None,
    picture: options.Picture = None,
    data_dir: options.DataDir = None,
    keep: options.Keep = False,
) -> None:
    """Kill the stream under load: how long until alerts are as fast as before."""
    from benchmarks import pictures, recovery_report  # noqa: PLC0415  heavy modules are imported by their command
    from benchmarks import queries as selection  # noqa: PLC0415
    from benchmarks import recovery as benchmark  # noqa: PLC0415

    options.require_folders(json=json, picture=picture)
    chosen = selection.chosen(queries)
    if "alerts" not in chosen:
        raise SettingsError("--queries: what is measured are alerts; name alerts too")
    request = benchmark.Request(rate, sensors, before, after, violations, seed, chosen)
    with options.interruptible():
        document = benchmark.run(request, options.new_folder(data_dir), options.reporter(), keep=keep)
    options.write(document, json)
    if picture is not None:
        heading = pictures.heading(document, "the stream killed")
        pictures.lines(picture, heading, recovery_report.panels(document), "s after the kill")
    options.console().print(recovery_report.render(document))
