"""`sensorlake bench lakehouse` and `sharing`: the work of whole days, and of one batch."""

import shutil
import time
from typing import Annotated

import typer

from sensorlake.commands.bench import options


def register(bench: typer.Typer) -> None:
    bench.command()(lakehouse)
    bench.command()(sharing)


def lakehouse(
    *,
    sensors: Annotated[int, typer.Option(min=10, max=1_000_000, help="Each sends one reading a minute.")] = 10_000,
    days: Annotated[int, typer.Option(min=1, max=100, help="Days of readings in the lake.")] = 3,
    json: options.Json = None,
    data_dir: options.DataDir = None,
    keep: options.Keep = False,
) -> None:
    """Time and memory of the assets for a day of readings and a week of windows."""
    from rich.table import Table  # noqa: PLC0415  heavy modules are imported by the command that needs them

    from benchmarks import lakehouse as benchmark  # noqa: PLC0415
    from benchmarks import machine  # noqa: PLC0415

    options.require_folders(json=json)
    conditions, folder = machine.describe(), options.new_folder(data_dir)
    try:
        with options.interruptible():
            steps = benchmark.run(sensors, days, folder, options.reporter())
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    options.write({"machine": conditions, "steps": steps}, json)
    table = Table("step", "rows read", "seconds", "memory MB", title=f"{sensors:,} sensors, {conditions['cpu']}")
    for step in steps:
        table.add_row(step.name, f"{step.rows:,}", f"{step.seconds:.1f}", f"{step.peak_mb:,.0f}")
    options.console(120).print(table)


def sharing(
    *,
    messages: Annotated[int, typer.Option(min=10_000, max=3_000_000, help="Size of the batch.")] = 300_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same batch.")] = 0,
) -> None:
    """Processor time of decoding a batch once for lake, features and metrics, against once for each."""
    from benchmarks import sharing as benchmark  # noqa: PLC0415  heavy modules are imported by the command that needs them
    from sensorlake import settings  # noqa: PLC0415
    from sensorlake.commands.spark import open_session  # noqa: PLC0415

    spark = open_session(settings.load(), cores=2)
    for cost in benchmark.measure(spark, messages, seed, time.time_ns() // 1000):
        typer.echo(f"{cost.micros:7.2f} us a message  {cost.name}")
    spark.stop()
