"""`sensorlake bench peers`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sensorlake.commands.bench import options
from sensorlake.errors import SettingsError

if TYPE_CHECKING:
    from rich.table import Table

_ALL = "sensorlake,flink-sql,quix,quix-2"


def register(bench: typer.Typer) -> None:
    bench.command()(peers)


def peers(
    *,
    engines: Annotated[str, typer.Option(help="Which of them, with commas between.")] = _ALL,
    rate: options.Rate = 10_000,
    sensors: options.Sensors = 10_000,
    seconds: options.Seconds = 120,
    warmup: options.Warmup = 90,
    backlog: Annotated[
        int, typer.Option(min=0, max=100_000_000, help="Messages that each drains; 0: none.")
    ] = 2_000_000,
    violations: options.Violations = 0.01,
    broken: Annotated[int, typer.Option(min=2, help="Of so many messages one is no reading.")] = 200,
    seed: options.Seed = 0,
    json: options.Json = None,
    data_dir: options.DataDir = None,
    keep: options.Keep = False,
) -> None:
    """The same stateless job in this product, Flink SQL and Quix Streams, one after the other."""
    from benchmarks.peers import engines as known  # noqa: PLC0415  heavy modules are imported by the command that needs them
    from benchmarks.peers import run as benchmark  # noqa: PLC0415

    options.require_folders(json=json)
    names = [name.strip() for name in engines.split(",") if name.strip()]
    if not names or not set(names) <= known.ENGINES.keys():
        raise SettingsError(f"--engines {engines!r}: there are {', '.join(known.ENGINES)}")
    request = benchmark.Request(names, rate, sensors, seconds, warmup, backlog, violations, broken, seed)
    with options.interruptible():
        document = benchmark.run(request, options.new_folder(data_dir), options.reporter(), keep=keep)
    options.write(document, json)
    options.console().print(_table(document))


def _table(document: dict[str, Any]) -> "Table":
    """A row an engine; in brackets how many times the figure of the first one."""
    from rich.table import Table  # noqa: PLC0415

    machine, load = document["machine"], document["load"]
    title = f"{load['rate']:,.0f} messages/s of {load['sensors']:,} sensors, {machine['cpu']}, {machine['cores']} cores"
    columns = (
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "CPU s a million",
        "MB",
        "drains a second",
        "CPU s a million",
        "lost",
        "doubled",
    )
    table = Table("engine", *columns, title=title)
    rows = {name: _figures(found) for name, found in document["engines"].items()}
    first = next(iter(rows.values()))
    for name, figures in rows.items():
        alerts = document["engines"][name]["alerts"]
        cells = [_cell(own, base) for own, base in zip(figures, first, strict=True)]
        table.add_row(name, *cells, str(alerts["lost"]), str(alerts["doubled"]))
    return table


def _figures(found: dict[str, Any]) -> list[float | None]:
    return [
        *(found["alert_ms"][point] for point in ("p50", "p95", "p99")),
        found["cpu_seconds_per_million"],
        found["memory_mb"],
        found["drain"].get("messages_per_second"),
        found["drain"].get("cpu_seconds_per_million"),
    ]


def _cell(own: float | None, base: float | None) -> str:
    if own is None:
        return "-"
    ratio = f" ({own / base:.2f})" if base else ""
    return f"{own:,.1f}{ratio}"
