"""Commands of the bench group: what this machine reaches."""

import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

bench = typer.Typer(help="Measure on this machine, on a stack of its own.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.add_typer(bench, name="bench")


@bench.callback()
def _group() -> None:
    """Measure on this machine, on a stack of its own."""


@bench.command()
def latency(
    *,
    rate: Annotated[float, typer.Option(min=1, max=1e6, help="Messages a second over all sensors.")] = 10_000,
    sensors: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many sensors send.")] = 10_000,
    seconds: Annotated[float, typer.Option(min=1, max=86_400, help="Length of the counted part.")] = 120,
    warmup: Annotated[
        float,
        typer.Option(min=0, max=86_400, help="Seconds of the same load before, as a JVM compiles its code first."),
    ] = 120,
    violations: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the sensors that always send values beyond their limit.")
    ] = 0.01,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same fleet and values.")] = 0,
    json: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="New folder of the stack. [default: bench-<time> in the data folder]")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep that folder with all its data and logs.")] = False,
) -> None:
    """Time from a reading's intended send time to its alert and to each store; what was lost or doubled."""
    import orjson  # noqa: PLC0415  heavy modules are imported by the command that needs them
    from rich.console import Console  # noqa: PLC0415

    from benchmarks import latency as benchmark  # noqa: PLC0415
    from benchmarks import table  # noqa: PLC0415
    from sensorlake import settings  # noqa: PLC0415
    from sensorlake.errors import SettingsError  # noqa: PLC0415

    if json is not None and not json.absolute().parent.is_dir():
        raise SettingsError(f"--json {json}: there is no folder {json.absolute().parent}; make it first")
    report = _reporter()
    folder = data_dir or settings.load().data_dir / f"bench-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    request = benchmark.Request(rate, sensors, seconds, warmup, violations, seed)
    try:
        document = benchmark.run(request, folder.absolute(), report, keep=keep)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if json is not None:
        json.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table.render(document))


@bench.command()
def detect(
    *,
    rate: Annotated[float, typer.Option(min=1, max=1e6, help="Messages a second over all sensors.")] = 10_000,
    sensors: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many sensors send.")] = 10_000,
    seconds: Annotated[float, typer.Option(min=1, max=86_400, help="Length of the counted part.")] = 120,
    warmup: Annotated[
        float, typer.Option(min=0, max=86_400, help="Seconds of the same load before; devices are learned in it.")
    ] = 90,
    faults: Annotated[float, typer.Option(min=0, max=1, help="Share of the sensors with injected faults.")] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same fleet and values.")] = 0,
    json: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="New folder of the stack. [default: bench-<time> in the data folder]")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep that folder with all its data and logs.")] = False,
) -> None:
    """Time from a reading to the alarm of the detectors, the query alone; its alarms against those judged offline."""
    import orjson  # noqa: PLC0415  heavy modules are imported by the command that needs them

    from benchmarks import detect as benchmark  # noqa: PLC0415
    from sensorlake import settings  # noqa: PLC0415

    report = _reporter()
    folder = data_dir or settings.load().data_dir / f"bench-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    request = benchmark.Request(rate, sensors, seconds, warmup, faults, seed)
    try:
        document = benchmark.run(request, folder.absolute(), report, keep=keep)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    if json is not None:
        json.write_bytes(text + b"\n")
    typer.echo(text.decode())


@bench.command()
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


@bench.command()
def lakehouse(
    *,
    sensors: Annotated[int, typer.Option(min=10, max=1_000_000, help="Each sends one reading a minute.")] = 10_000,
    days: Annotated[int, typer.Option(min=1, max=100, help="Days of readings in the lake.")] = 3,
    json: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="New folder of the stack. [default: bench-<time> in the data folder]")
    ] = None,
) -> None:
    """Time and memory of the assets for a day of readings and a week of windows."""
    import orjson  # noqa: PLC0415  heavy modules are imported by the command that needs them
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from benchmarks import lakehouse as benchmark  # noqa: PLC0415
    from benchmarks import machine  # noqa: PLC0415
    from sensorlake import settings  # noqa: PLC0415

    report, conditions = _reporter(), machine.describe()
    folder = data_dir or settings.load().data_dir / f"bench-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    steps = benchmark.run(sensors, days, folder.absolute(), report)
    shutil.rmtree(folder, ignore_errors=True)
    if json is not None:
        json.write_bytes(orjson.dumps({"machine": conditions, "steps": steps}, option=orjson.OPT_INDENT_2) + b"\n")
    table = Table("step", "rows read", "seconds", "memory MB", title=f"{sensors:,} sensors, {conditions['cpu']}")
    for step in steps:
        table.add_row(step.name, f"{step.rows:,}", f"{step.seconds:.1f}", f"{step.peak_mb:,.0f}")
    Console(width=None if sys.stdout.isatty() else 120).print(table)


@bench.command()
def injected(
    *,
    sensors: Annotated[int, typer.Option(min=10, max=100_000, help="Each sends one reading a second.")] = 10_000,
    seconds: Annotated[int, typer.Option(min=300, max=86_400, help="Length of the run.")] = 1800,
    faults: Annotated[float, typer.Option(min=0, max=1, help="Share of the sensors with injected faults.")] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same fleet, values and faults.")] = 0,
    json: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
) -> None:
    """Share of injected spikes, drifts, stuck and noisy sensors found, false alarms, and readings judged a second."""
    import orjson  # noqa: PLC0415  heavy modules are imported by the command that needs them
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from benchmarks import injected as benchmark  # noqa: PLC0415

    report = _reporter()
    document = benchmark.run(sensors, seconds, faults, seed, report)
    if json is not None:
        json.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    table = Table("fault", "episodes", "found %", "met", "with 5 s after it %", "delay p50 s", "p95 s")
    for each in document["kinds"]:
        shares = [f"{100 * each['found']:.1f}", _met(each["found"] >= benchmark.AIMS["found"])]
        rest = [f"{100 * each['found_late']:.1f}", f"{each['delay_p50']:.0f}", f"{each['delay_p95']:.0f}"]
        table.add_row(each["kind"], f"{each['episodes']:,}", *shares, *rest)
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    rate, bound = document["false_episodes_per_10000_hours"], document["at_most_per_10000_hours"]
    console.print(
        f"{document['false_episodes']} false episodes in {document['normal_sensor_hours']:,.0f} normal sensor-hours: "
        f"{rate:g} in 10,000" + (f", at most {bound:g} with 95 % confidence" if bound else "")
    )
    console.print(f"{document['readings_per_cpu_second']:,} readings a CPU second, aim >= 1,000,000")
    conditions = document["machine"]
    console.print(f"{conditions['cpu']}, {conditions['cores']} cores, load before {conditions['load_average_before']}")


@bench.command("model-server")
def model_server(
    *,
    engine: Annotated[Literal["both", "onnx", "tensorflow"], typer.Option(help="What computes.")] = "both",
    threads: Annotated[int, typer.Option(min=1, max=64, help="Processors that the server is bound to.")] = 1,
    requests: Annotated[int, typer.Option(min=10, max=1_000_000, help="Batches of 64, one after the other.")] = 500,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long four callers ask at once.")] = 15,
    json: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
) -> None:
    """Latency of 64 sequences and sequences a second of the model server, by library."""
    import orjson  # noqa: PLC0415  heavy modules are imported by the command that needs them
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from benchmarks import machine  # noqa: PLC0415
    from benchmarks import model_server as benchmark  # noqa: PLC0415

    report, conditions = _reporter(), machine.describe()
    engines = ("onnx", "tensorflow") if engine == "both" else (engine,)
    measured = benchmark.run(engines, threads, requests, seconds, report)
    if json is not None:
        document = {"machine": conditions, "threads": threads, "requests": requests, "seconds": seconds}
        document["engines"] = measured
        json.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    points = ("p50", "p95", "p99", "max")
    table = Table("library", *points, "met", "sequences/s", "met", "a CPU s", "MB", title=f"{conditions['cpu']}")
    for each in measured:
        figures = [str(each.milliseconds[point]) for point in points]
        rate = [f"{each.sequences_per_second:,.0f}", _met(each.rate_met), f"{each.per_cpu_second:,.0f}"]
        table.add_row(each.engine, *figures, _met(each.latency_met), *rate, f"{each.memory_mb:,.0f}")
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    console.print(f"ms of a batch of 64, aim p99 <= {benchmark.LATENCY_AIM_MS:g}; aim >= {benchmark.RATE_AIM:g}/s")
    load = conditions["load_average_before"]
    console.print(f"the server on {threads} of {conditions['cores']} processors, load average before {load}")


def _reporter() -> Callable[[str], None]:
    """Tells each event on standard error, with the seconds since now."""
    began = time.monotonic()

    def report(event: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - began:6.1f} s] {event}\n")
        sys.stderr.flush()

    return report


def _met(met: bool) -> str:
    return "yes" if met else "no"
