"""`sensorlake bench detect` and `injected`: the detectors on the stream, and apart from it."""

from typing import Annotated

import typer

from sensorlake.commands.bench import options


def register(bench: typer.Typer) -> None:
    bench.command()(detect)
    bench.command()(injected)


def detect(
    *,
    rate: options.Rate = 10_000,
    sensors: options.Sensors = 10_000,
    seconds: options.Seconds = 120,
    warmup: Annotated[
        float, typer.Option(min=0, max=86_400, help="Seconds of the same load before; devices are learned in it.")
    ] = 90,
    faults: options.Faults = 0.2,
    seed: options.Seed = 0,
    json: options.Json = None,
    data_dir: options.DataDir = None,
    keep: options.Keep = False,
) -> None:
    """Time from a reading to the alarm of the detectors, the query alone; its alarms against those judged offline."""
    import orjson  # noqa: PLC0415  heavy modules are imported by the command that needs them

    from benchmarks import detect as benchmark  # noqa: PLC0415

    options.require_folders(json=json)
    request = benchmark.Request(rate, sensors, seconds, warmup, faults, seed)
    with options.interruptible():
        document = benchmark.run(request, options.new_folder(data_dir), options.reporter(), keep=keep)
    options.write(document, json)
    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


def injected(
    *,
    sensors: Annotated[int, typer.Option(min=10, max=100_000, help="Each sends one reading a second.")] = 10_000,
    seconds: Annotated[int, typer.Option(min=300, max=86_400, help="Length of the run.")] = 1800,
    faults: options.Faults = 0.1,
    seed: options.Seed = 0,
    json: options.Json = None,
) -> None:
    """Share of injected spikes, drifts, stuck and noisy sensors found, false alarms, and readings judged a second."""
    from rich.table import Table  # noqa: PLC0415  heavy modules are imported by the command that needs them

    from benchmarks import injected as benchmark  # noqa: PLC0415

    options.require_folders(json=json)
    document = benchmark.run(sensors, seconds, faults, seed, options.reporter())
    options.write(document, json)
    table = Table("fault", "episodes", "found %", "met", "with 5 s after it %", "delay p50 s", "p95 s")
    for each in document["kinds"]:
        shares = [f"{100 * each['found']:.1f}", options.met(each["found"] >= benchmark.AIMS["found"])]
        rest = [f"{100 * each['found_late']:.1f}", f"{each['delay_p50']:.0f}", f"{each['delay_p95']:.0f}"]
        table.add_row(each["kind"], f"{each['episodes']:,}", *shares, *rest)
    console = options.console(120)
    console.print(table)
    rate, bound = document["false_episodes_per_10000_hours"], document["at_most_per_10000_hours"]
    console.print(
        f"{document['false_episodes']} false episodes in {document['normal_sensor_hours']:,.0f} normal sensor-hours: "
        f"{rate:g} in 10,000" + (f", at most {bound:g} with 95 % confidence" if bound else "")
    )
    console.print(f"{document['readings_per_cpu_second']:,} readings a CPU second, aim >= 1,000,000")
    conditions = document["machine"]
    console.print(f"{conditions['cpu']}, {conditions['cores']} cores, load before {conditions['load_average_before']}")
