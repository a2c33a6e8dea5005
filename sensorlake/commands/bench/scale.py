"""`sensorlake bench scale`."""

from typing import Annotated, Any

import typer

from sensorlake.commands.bench import options


def register(bench: typer.Typer) -> None:
    bench.command()(scale)


def scale(
    *,
    sensors: Annotated[
        str, typer.Option(help='Sizes of the fleet, with commas; "" leaves this part out.')
    ] = "1000,10000,100000,1000000",
    days: Annotated[str, typer.Option(help="Days of history in the lake, with commas. [default: none]")] = "",
    day_sensors: Annotated[
        int, typer.Option(min=10, max=100_000, help="Sensors of that history, each with a reading a minute.")
    ] = 1000,
    rate: options.Rate = 10_000,
    seconds: options.Seconds = 120,
    warmup: options.Warmup = 120,
    violations: options.Violations = 0.01,
    queries: options.Queries = "all",
    seed: options.Seed = 0,
    json: options.Json = None,
    picture: options.Picture = None,
    data_dir: options.DataDir = None,
    keep: options.Keep = False,
) -> None:
    """What more sensors cost at the same total rate, and what more days of history cost."""
    from benchmarks import history, machine, pictures, scale_report  # noqa: PLC0415  heavy; imported by their command
    from benchmarks import queries as selection  # noqa: PLC0415
    from benchmarks import scale as benchmark  # noqa: PLC0415
    from sensorlake.errors import SettingsError  # noqa: PLC0415

    options.require_folders(json=json, picture=picture)
    sizes = tuple(options.whole_numbers(sensors, "--sensors", 1, 1_000_000)) if sensors else ()
    lakes = tuple(options.whole_numbers(days, "--days", 1, 1000)) if days else ()
    if len(set(sizes)) < len(sizes):
        raise SettingsError(f"--sensors {sensors!r}: each size once")
    if not sizes and not lakes:
        raise SettingsError("--sensors and --days are both empty: nothing to measure")
    chosen = selection.chosen(queries)
    if lakes and "lake" not in chosen:
        raise SettingsError("--days: the history is that of the query lake; name it in --queries too")
    request = benchmark.Request(sizes, rate, seconds, warmup, violations, seed, chosen)
    report, folder = options.reporter(), options.new_folder(data_dir)
    document: dict[str, Any] = {"machine": machine.describe()}
    with options.interruptible():
        if sizes:
            document["sensors"] = benchmark.run(request, folder, report, keep=keep)
        if lakes and not document.get("sensors", {}).get("interrupted"):
            past = history.Request(lakes, day_sensors, request)
            document["days"] = history.run(past, folder / "days", report, keep=keep)
    options.write(document, json)
    if picture is not None and (panels := scale_report.panels(document)):
        pictures.lines(picture, pictures.heading(document, "scale"), panels, "sensors", logarithmic=True)
    options.console().print(scale_report.render(document))
