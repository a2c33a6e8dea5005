"""`sensorlake bench throughput`."""

from typing import Annotated

import typer

from sensorlake.commands.bench import options


def register(bench: typer.Typer) -> None:
    bench.command()(throughput)


def throughput(
    *,
    rate: Annotated[float, typer.Option(min=1, max=1e6, help="Messages a second of the first step.")] = 10_000,
    ceiling: Annotated[float, typer.Option(min=1, max=1e6, help="No higher rate than this is tried.")] = 160_000,
    sensors: options.Sensors = 10_000,
    seconds: options.Seconds = 180,
    warmup: options.Warmup = 60,
    violations: options.Violations = 0.01,
    queries: options.Queries = "all",
    steps: Annotated[int, typer.Option(min=1, max=50, help="How many rates are tried at most.")] = 8,
    minutes: Annotated[float, typer.Option(min=0.1, max=1440, help="No step begins that would end after this.")] = 60,
    seed: options.Seed = 0,
    json: options.Json = None,
    picture: options.Picture = None,
    data_dir: options.DataDir = None,
    keep: options.Keep = False,
) -> None:
    """The highest rate at which no query's lag grows."""
    from benchmarks import pictures, throughput_report  # noqa: PLC0415  heavy modules are imported by their command
    from benchmarks import queries as selection  # noqa: PLC0415
    from benchmarks import throughput as benchmark  # noqa: PLC0415
    from sensorlake.errors import SettingsError  # noqa: PLC0415

    options.require_folders(json=json, picture=picture)
    if ceiling < rate:
        raise SettingsError(f"--ceiling {ceiling:g} is below --rate {rate:g}: nothing could be tried")
    request = benchmark.Request(
        rate=rate,
        ceiling=ceiling,
        sensors=sensors,
        seconds=seconds,
        warmup_seconds=warmup,
        violating_share=violations,
        seed=seed,
        queries=selection.chosen(queries),
        most_steps=steps,
        most_minutes=minutes,
    )
    with options.interruptible():
        document = benchmark.run(request, options.new_folder(data_dir), options.reporter(), keep=keep)
    options.write(document, json)
    if picture is not None:
        pictures.lines(picture, pictures.heading(document, "lag"), throughput_report.panels(document), "messages/s")
    options.console().print(throughput_report.render(document))
