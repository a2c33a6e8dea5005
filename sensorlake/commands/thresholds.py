"""Commands of the thresholds group: the limits that the stream judges by."""

import getpass
import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lakehouse.lake import Lake

thresholds = typer.Typer(help="The limits that the stream judges by, and their versions.", no_args_is_help=True)

By = Annotated[str | None, typer.Option(help="Who does this. [default: the user of this machine]")]
Why = Annotated[str, typer.Option(help="Why; stands in the version's history.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
_FIGURES = ("lower", "upper", "mean", "stddev", "z_limit")


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.add_typer(thresholds, name="thresholds")


@thresholds.command(name="list")
def list_versions(*, as_json: Json = False) -> None:
    """The versions, the live one first: when, by whom, why."""
    from lakehouse import thresholds as published  # noqa: PLC0415  heavy modules are imported by the command that needs them

    found = published.versions(_lake())
    if as_json:
        typer.echo(json.dumps([vars(version) for version in found], default=_plain, indent=2))
        return
    names = ("version", "published_at", "kind", "by", "rows", "learned", "manual", "why")
    _print_table(names, [tuple(getattr(version, name) for name in names) for version in found])


@thresholds.command()
def show(
    version: Annotated[int | None, typer.Argument(help="[default: the live one]")] = None,
    *,
    device: Annotated[str | None, typer.Option(help="Only this device (* is every device without its own).")] = None,
    metric: Annotated[str | None, typer.Option(help="Only this metric.")] = None,
    as_json: Json = False,
) -> None:
    """The limits of a version."""
    from lakehouse import thresholds as published  # noqa: PLC0415

    lake = _lake()
    chosen = published.find(lake, version) if version is not None else published.versions(lake)[0]
    rows = [
        row
        for row in published.rows_of(lake, chosen).to_pylist()
        if device in (None, row["device_id"]) and metric in (None, row["metric"])
    ]
    if as_json:
        typer.echo(json.dumps({"version": vars(chosen), "limits": rows}, default=_plain, indent=2))
        return
    typer.echo(f"version {chosen.version}, published {chosen.published_at:%Y-%m-%d %H:%M:%S} UTC by {chosen.by}")
    typer.echo(f"why: {chosen.why}")
    names = ("device_id", "metric", *_FIGURES, "unit", "source", "note")
    _print_table(names, [tuple(row[name] for name in names) for row in rows])


@thresholds.command()
def diff(
    before: Annotated[int, typer.Argument(help="A version.")],
    after: Annotated[int | None, typer.Argument(help="Another. [default: the live one]")] = None,
) -> None:
    """The limits in which two versions differ."""
    from lakehouse import threshold_changes  # noqa: PLC0415
    from lakehouse import thresholds as published  # noqa: PLC0415

    lake = _lake()
    old = published.find(lake, before)
    new = published.find(lake, after) if after is not None else published.versions(lake)[0]
    rows = []
    for found in threshold_changes.differences(published.rows_of(lake, old), published.rows_of(lake, new)):
        left, right = found.before or {}, found.after or {}
        figures = [_change(left.get(name), right.get(name)) for name in (*_FIGURES, "source")]
        rows.append((found.device_id, found.metric, *figures))
    typer.echo(f"version {old.version} -> {new.version}: {len(rows)} limits differ")
    if rows:
        _print_table(("device_id", "metric", *_FIGURES, "source"), rows)


@thresholds.command()
def rollback(
    version: Annotated[int, typer.Argument(help="The version whose limits are to be live again.")],
    *,
    why: Why = "rolled back by hand",
    by: By = None,
) -> None:
    """Make the limits of an earlier version live again, under a new number; refreshes pause for a day."""
    from lakehouse import threshold_changes  # noqa: PLC0415
    from sensorlake import settings  # noqa: PLC0415

    number = threshold_changes.roll_back(_lake(), version, by=_who(by), why=why)
    typer.echo(f"version {number} is live, with the limits of version {version}; the stream has it within ten seconds")
    typer.echo(f"no refresh publishes by itself for {settings.load().rollback_hold_minutes:g} minutes")


@thresholds.command(name="set")
def set_limit(
    device: Annotated[str, typer.Argument(help="A device, or * for every device without a limit of its own.")],
    metric: Annotated[str, typer.Argument(help="Its metric.")],
    *,
    lower: Annotated[float | None, typer.Option(help="A value below it is an anomaly.")] = None,
    upper: Annotated[float | None, typer.Option(help="A value above it is an anomaly.")] = None,
    mean: Annotated[float | None, typer.Option(help="Centre of what is normal.")] = None,
    stddev: Annotated[float | None, typer.Option(help="Its standard deviation.")] = None,
    z_limit: Annotated[float | None, typer.Option(help="How many of them a value may be away.")] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="A figure to take away: lower, upper, mean, stddev or z_limit.")
    ] = None,
    why: Why = "set by hand",
    by: By = None,
) -> None:
    """Set limits of one device and metric by hand. They outlive refreshes until `unset`."""
    from lakehouse import threshold_changes  # noqa: PLC0415

    values = {"lower": lower, "upper": upper, "mean": mean, "stddev": stddev, "z_limit": z_limit}
    if unknown := set(without or []) - set(_FIGURES):
        raise typer.BadParameter(f"--without: {', '.join(sorted(unknown))}: there are {', '.join(_FIGURES)}")
    given = {name: value for name, value in values.items() if value is not None}
    taken_away: dict[str, float | None] = dict.fromkeys(without or [])
    if not given and not taken_away:
        raise typer.BadParameter("give at least one of --lower, --upper, --mean, --stddev, --z-limit, --without")
    number = threshold_changes.set_by_hand(_lake(), device, metric, taken_away | given, by=_who(by), why=why)
    typer.echo(f"version {number} is live; the stream takes it over within ten seconds")


@thresholds.command()
def unset(
    device: Annotated[str, typer.Argument(help="A device.")],
    metric: Annotated[str, typer.Argument(help="Its metric.")],
    *,
    why: Why = "removed by hand",
    by: By = None,
) -> None:
    """Remove a limit that was set by hand."""
    from lakehouse import threshold_changes  # noqa: PLC0415

    number = threshold_changes.remove_by_hand(_lake(), device, metric, by=_who(by), why=why)
    typer.echo(f"version {number} is live; the stream takes it over within ten seconds")


def _lake() -> "Lake":
    from lakehouse.lake import Lake  # noqa: PLC0415
    from lakehouse.storage import require_answer  # noqa: PLC0415
    from sensorlake import settings  # noqa: PLC0415

    chosen = settings.load()
    require_answer(chosen)
    return Lake.of(chosen)


def _who(by: str | None) -> str:
    return by or getpass.getuser()


def _change(before: object, after: object) -> str:
    return _shown(after) if before == after else f"{_shown(before)} -> {_shown(after)}"


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _print_table(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(*names, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(_shown(value) for value in row))
    Console(width=None if sys.stdout.isatty() else 200).print(table)
