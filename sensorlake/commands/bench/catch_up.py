"""`sensorlake bench catch-up`."""

from typing import Annotated

import typer

from sensorlake.commands.bench import options


def register(bench: typer.Typer) -> None:
    bench.command("catch-up")(catch_up)


def catch_up(
    *,
    backlog: Annotated[
        int, typer.Option(min=1000, max=1_000_000_000, help="Messages that wait when the stream starts.")
    ] = 36_000_000,
    rate: Annotated[float, typer.Option(min=1, max=1e6, help="At which they would have arrived.")] = 10_000,
    sensors: options.Sensors = 10_000,
    violations: options.Violations = 0.01,
    queries: options.Queries = "all",
    minutes: Annotated[float, typer.Option(min=0.1, max=1440, help="How long the queries may take.")] = 60,
    seed: options.Seed = 0,
    json: options.Json = None,
    picture: options.Picture = None,
    data_dir: options.DataDir = None,
    keep: options.Keep = False,
) -> None:
    """How many times faster than real time the stream drains a backlog, by query; memory; what was lost or doubled."""
    from benchmarks import catch_up as benchmark  # noqa: PLC0415  heavy modules are imported by their command
    from benchmarks import catch_up_report, pictures  # noqa: PLC0415
    from benchmarks import queries as selection  # noqa: PLC0415

    options.require_folders(json=json, picture=picture)
    chosen = selection.chosen(queries)
    request = benchmark.Request(backlog, rate, sensors, violations, seed, chosen, minutes)
    with options.interruptible():
        document = benchmark.run(request, options.new_folder(data_dir), options.reporter(), keep=keep)
    options.write(document, json)
    if picture is not None:
        pictures.lines(picture, pictures.heading(document, "catching up"), catch_up_report.panels(document), "s")
    options.console().print(catch_up_report.render(document))
