"""`sensorlake bench latency`."""

import typer

from sensorlake.commands.bench import options


def register(bench: typer.Typer) -> None:
    bench.command()(latency)


def latency(
    *,
    rate: options.Rates = "10000",
    sensors: options.Sensors = 10_000,
    seconds: options.Seconds = 120,
    warmup: options.Warmup = 120,
    violations: options.Violations = 0.01,
    faults: options.Faults = 0.05,
    queries: options.Queries = "all",
    seed: options.Seed = 0,
    json: options.Json = None,
    picture: options.Picture = None,
    data_dir: options.DataDir = None,
    keep: options.Keep = False,
) -> None:
    """Time from a reading's intended send time to its alert, its alarm and each store; what was lost or doubled."""
    from benchmarks import latency as benchmark  # noqa: PLC0415  heavy modules are imported by the command that needs them
    from benchmarks import pictures, table  # noqa: PLC0415
    from benchmarks import queries as selection  # noqa: PLC0415

    options.require_folders(json=json, picture=picture)
    rates = options.numbers(rate, "--rate", 1, 1e6)
    chosen = selection.chosen(queries)
    requests = [benchmark.Request(each, sensors, seconds, warmup, violations, faults, seed, chosen) for each in rates]
    with options.interruptible():
        document = benchmark.run_all(requests, options.new_folder(data_dir), options.reporter(), keep=keep)
    options.write(document, json)
    if picture is not None:
        pictures.latency(picture, document)
    for run in document["runs"]:
        options.console().print(table.render(document | run))
