"""`sensorlake bench model-server`."""

from typing import Annotated, Literal

import typer

from sensorlake.commands.bench import options


def register(bench: typer.Typer) -> None:
    bench.command("model-server")(model_server)


def model_server(
    *,
    engine: Annotated[Literal["both", "onnx", "tensorflow"], typer.Option(help="What computes.")] = "both",
    threads: Annotated[int, typer.Option(min=1, max=64, help="Processors that the server is bound to.")] = 1,
    requests: Annotated[int, typer.Option(min=10, max=1_000_000, help="Batches of 64, one after the other.")] = 500,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long four callers ask at once.")] = 15,
    json: options.Json = None,
) -> None:
    """Latency of 64 sequences and sequences a second of the model server, by library."""
    from rich.table import Table  # noqa: PLC0415  heavy modules are imported by the command that needs them

    from benchmarks import machine  # noqa: PLC0415
    from benchmarks import model_server as benchmark  # noqa: PLC0415

    options.require_folders(json=json)
    conditions = machine.describe()
    engines = ("onnx", "tensorflow") if engine == "both" else (engine,)
    measured = benchmark.run(engines, threads, requests, seconds, options.reporter())
    document = {"machine": conditions, "threads": threads, "requests": requests, "seconds": seconds}
    options.write(document | {"engines": measured}, json)
    points = ("p50", "p95", "p99", "max")
    table = Table("library", *points, "met", "sequences/s", "met", "a CPU s", "MB", title=f"{conditions['cpu']}")
    for each in measured:
        figures = [str(each.milliseconds[point]) for point in points]
        rate = [f"{each.sequences_per_second:,.0f}", options.met(each.rate_met), f"{each.per_cpu_second:,.0f}"]
        table.add_row(each.engine, *figures, options.met(each.latency_met), *rate, f"{each.memory_mb:,.0f}")
    console = options.console(120)
    console.print(table)
    console.print(f"ms of a batch of 64, aim p99 <= {benchmark.LATENCY_AIM_MS:g}; aim >= {benchmark.RATE_AIM:g}/s")
    load = conditions["load_average_before"]
    console.print(f"the server on {threads} of {conditions['cores']} processors, load average before {load}")
