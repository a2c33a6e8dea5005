"""Commands of the models group: which versions there are, and which are in force."""

import getpass
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lakehouse.lake import Lake
    from lakehouse.models.store import ModelStore

models = typer.Typer(help="The trained models, their versions and which of them is in force.", no_args_is_help=True)

By = Annotated[str | None, typer.Option(help="Who does this. [default: the user of this machine]")]
Why = Annotated[str, typer.Option(help="Why; stands in the registry.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
Name = Annotated[str, typer.Argument(help="isolation_forest or lstm_autoencoder.")]


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.add_typer(models, name="models")
    app.command()(generate_training_data)


@models.command(name="list")
def list_models(*, as_json: Json = False) -> None:
    """Every version of each model: its role, since when, by whom, why, and how good it was."""
    from lakehouse.models import registry  # noqa: PLC0415  heavy modules are imported by the command that needs them

    lake, _ = _opened()
    figures = _figures(lake)
    rows = [
        vars(each)
        | dict(zip(("pr_auc", "roc_auc", "f1"), figures.get((each.name, each.version), (None,) * 3), strict=True))
        for each in registry.standings(lake)
    ]
    if as_json:
        typer.echo(json.dumps(rows, default=_plain, indent=2))
        return
    names = ("name", "version", "role", "since", "by", "trained_on", "pr_auc", "roc_auc", "f1", "why")
    _print_table(names, [tuple(row[name] for name in names) for row in rows])


@models.command()
def show(
    name: Name,
    version: Annotated[int | None, typer.Argument(help="[default: the champion]")] = None,
    *,
    as_json: Json = False,
) -> None:
    """What a version says of itself, verified: what it was made from, how, and its figures by kind of fault."""
    from lakehouse.models import registry  # noqa: PLC0415
    from sensorlake.errors import ModelError  # noqa: PLC0415

    lake, store = _opened()
    if version is None:
        champion = registry.champion(lake, name)
        if champion is None:
            raise ModelError(f"model {name} has no champion yet: see `sensorlake models list`")
        version = champion.version
    manifest = store.require_whole(name, version)
    judged = _judged(lake, name, version)
    if as_json:
        typer.echo(
            json.dumps({"manifest": json.loads(manifest.to_json()), "figures": judged}, default=_plain, indent=2)
        )
        return
    typer.echo(
        f"{manifest.label}, made {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC by sensorlake {manifest.code_version}"
    )
    typer.echo("signature and files: as they were published")
    for title, values in (("training set", manifest.training_set), ("parameters", manifest.parameters)):
        typer.echo(f"{title}: " + ", ".join(f"{key} {value}" for key, value in values.items()))
    names = ("judged_at", "data", "kind", "rows", "abnormal", "pr_auc", "roc_auc", "precision", "recall", "f1")
    _print_table(
        (*names, "false_alarm_rate"), [tuple(row[item] for item in (*names, "false_alarm_rate")) for row in judged]
    )


@models.command()
def history(*, as_json: Json = False) -> None:
    """What was done to the registry, the newest first."""
    from lakehouse.models import registry  # noqa: PLC0415

    found = [vars(change) for change in registry.history(_opened()[0])]
    if as_json:
        typer.echo(json.dumps(found, default=_plain, indent=2))
        return
    names = ("at", "kind", "name", "version", "by", "why")
    _print_table(names, [tuple(row[name] for name in names) for row in found])


@models.command()
def promote(
    name: Name,
    version: Annotated[int, typer.Argument(help="The version that is to be in force.")],
    *,
    why: Why = "promoted by hand",
    by: By = None,
) -> None:
    """Put a version in force, whatever its figures say; a damaged or unsigned one is refused."""
    from orchestration.training import promotion  # noqa: PLC0415

    lake, store = _opened()
    made = promotion.promote_by_hand(lake, store, name, version, by=_who(by), why=why)
    typer.echo(f"{made.label} is in force")


@models.command()
def rollback(
    name: Name,
    version: Annotated[int | None, typer.Argument(help="An earlier champion. [default: the last one]")] = None,
    *,
    why: Why = "rolled back by hand",
    by: By = None,
) -> None:
    """Put an earlier champion in force again; the present one is withdrawn and not promoted again by itself."""
    from orchestration.training import promotion  # noqa: PLC0415

    lake, store = _opened()
    made = promotion.roll_back(lake, store, name, version=version, by=_who(by), why=why)
    typer.echo(f"{made.label} is in force again")


def generate_training_data(
    out: Annotated[Path, typer.Argument(help="Folder for readings.parquet and windows.parquet.")],
    *,
    sensors: Annotated[int, typer.Option(min=1, max=100_000, help="How many simulated sensors.")] = 200,
    minutes: Annotated[float, typer.Option(min=1, max=100_000, help="How long.")] = 90,
    interval: Annotated[float, typer.Option(min=0.01, max=3600, help="Seconds between a sensor's readings.")] = 1.0,
    anomaly_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of sensors with faults.")] = 0.5,
    quiet_share: Annotated[float, typer.Option(min=0, max=1, help="Share of the time before the first fault.")] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same data.")] = 0,
) -> None:
    """Write labelled readings of a simulated fleet, with spike, drift, stuck and noise, and their windows of a minute,
    one each ten seconds, as the LSTM autoencoder sees them."""
    from orchestration.training import parquet  # noqa: PLC0415

    counts = parquet.write(
        out,
        sensors=sensors,
        seconds=minutes * 60,
        interval_seconds=interval,
        anomaly_rate=anomaly_rate,
        quiet_share=quiet_share,
        seed=seed,
    )
    typer.echo(json.dumps({"folder": str(out), **counts}))


def _opened() -> "tuple[Lake, ModelStore]":
    from lakehouse.lake import Lake  # noqa: PLC0415
    from lakehouse.models.store import ModelStore  # noqa: PLC0415
    from lakehouse.storage import require_answer  # noqa: PLC0415
    from sensorlake import settings  # noqa: PLC0415

    chosen = settings.load()
    require_answer(chosen)
    return Lake.of(chosen), ModelStore.of(chosen)


def _judged(lake: "Lake", name: str, version: int) -> "Sequence[Mapping[str, Any]]":
    """The newest figures of a version."""
    from orchestration.training import promotion  # noqa: PLC0415

    return promotion.figures_of(lake, name, version)


def _figures(lake: "Lake") -> dict[tuple[str, int], tuple[Any, ...]]:
    from orchestration.training import promotion  # noqa: PLC0415

    return promotion.newest_figures(lake)


def _who(by: str | None) -> str:
    return by or getpass.getuser()


def _print_table(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(*names, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*[_text(value) for value in row])
    # On a terminal its width; in a file or a pipe nothing is cut off.
    Console(width=None if sys.stdout.isatty() else 250).print(table)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
