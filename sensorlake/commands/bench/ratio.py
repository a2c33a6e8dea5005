"""`sensorlake bench ratio`."""

import typer

from sensorlake.commands.bench import options


def register(bench: typer.Typer) -> None:
    bench.command()(ratio)


def ratio(
    *,
    rate: options.Rate = 1000,
    sensors: options.Sensors = 1000,
    seconds: options.Seconds = 60,
    warmup: options.Warmup = 60,
    violations: options.Violations = 0.05,
    seed: options.Seed = 0,
    json: options.Json = None,
    data_dir: options.DataDir = None,
    keep: options.Keep = False,
) -> None:
    """How many times as long an alert takes as through a plain loop from Kafka to Kafka, both in one run."""
    from rich.table import Table  # noqa: PLC0415  heavy modules are imported by the command that needs them

    from benchmarks import conditions  # noqa: PLC0415
    from benchmarks import ratio as benchmark  # noqa: PLC0415

    options.require_folders(json=json)
    request = benchmark.Request(rate, sensors, seconds, warmup, violations, seed)
    with options.interruptible():
        document = benchmark.run(request, options.new_folder(data_dir), options.reporter(), keep=keep)
    options.write(document, json)
    points = ("p50", "p95", "p99", "max")
    table = Table("ms from the intended send time", *points, "samples")
    for name, title in (("alerts", "the alerts lane"), ("plain", "a plain loop")):
        figures = document[name]
        cells = ["-" if figures[point] is None else f"{figures[point]:,.1f}" for point in points]
        table.add_row(title, *cells, f"{figures['samples']:,} of {figures['of']:,}")
    ratios = [document["ratio"].get(point) for point in points]
    table.add_row("times as long", *["" if each is None else f"{each:g}" for each in ratios], "")
    load = f"{rate:g} messages/s of {sensors:,} sensors for {seconds:g} s, after {warmup:g} s of the same"
    console = options.console()
    console.print(conditions.table(document, load=load))
    console.print(table)
