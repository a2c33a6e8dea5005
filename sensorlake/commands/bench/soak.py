"""`sensorlake bench soak`."""

from typing import Annotated

import typer

from sensorlake.commands.bench import options


def register(bench: typer.Typer) -> None:
    bench.command()(soak)


def soak(
    *,
    minutes: Annotated[float, typer.Option(min=0.2, max=10_000, help="Length of the counted part.")] = 60,
    rate: options.Rate = 5000,
    sensors: options.Sensors = 10_000,
    warmup: options.Warmup = 300,
    violations: options.Violations = 0.01,
    faults: options.Faults = 0.02,
    churn: Annotated[float, typer.Option(min=0, max=1, help="Share of the sensors that come and go.")] = 0.2,
    life: Annotated[float, typer.Option(min=1, max=1e6, help="Seconds until one of those is replaced.")] = 600,
    every: Annotated[float, typer.Option(min=1, max=3600, help="Seconds between two looks at the files.")] = 30,
    queries: options.Queries = "all",
    seed: options.Seed = 0,
    json: options.Json = None,
    picture: options.Picture = None,
    data_dir: options.DataDir = None,
    keep: options.Keep = False,
) -> None:
    """Memory, state, files, disk, lag and latency over time while sensors come and go, and what 24 hours would add."""
    from benchmarks import pictures, soak_report  # noqa: PLC0415  heavy modules are imported by their command
    from benchmarks import queries as selection  # noqa: PLC0415
    from benchmarks import soak as benchmark  # noqa: PLC0415

    options.require_folders(json=json, picture=picture)
    request = benchmark.Request(
        minutes=minutes,
        rate=rate,
        sensors=sensors,
        warmup_seconds=warmup,
        violating_share=violations,
        fault_share=faults,
        churn_share=churn,
        life_seconds=life,
        every_seconds=every,
        seed=seed,
        queries=selection.chosen(queries),
    )
    with options.interruptible():
        document = benchmark.run(request, options.new_folder(data_dir), options.reporter(), keep=keep)
    options.write(document, json)
    if picture is not None:
        pictures.lines(picture, pictures.heading(document, "soak"), soak_report.panels(document), "minutes")
    options.console().print(soak_report.render(document))
