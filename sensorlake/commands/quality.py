"""The command that checks a day of the lake."""

import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sensorlake import settings as settings_module
from sensorlake.errors import InputFileError, SettingsError

if TYPE_CHECKING:
    from orchestration.day_report import DayReport


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.command()(quality)


def quality(
    *,
    day: Annotated[
        str | None, typer.Option(help="The day to check, UTC, such as 2026-11-21. [default: today]", metavar="DAY")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write Great Expectations' Data Docs into this folder.", metavar="DIR")
    ] = None,
) -> None:
    """Check a day of the lake and print what was found; 1 is returned where an error was."""
    now = datetime.now(UTC)
    chosen = _day(day, now.date())
    if html is not None:
        _make(html)
    settings = settings_module.load()
    # Great Expectations takes seconds to import: what is asked for wrongly is said before.
    from lakehouse.lake import Lake  # noqa: PLC0415
    from lakehouse.storage import require_answer  # noqa: PLC0415

    require_answer(settings)
    from orchestration import day_report, evidence  # noqa: PLC0415

    devices = evidence.registered_devices(settings)
    report = day_report.judge(Lake.of(settings), devices, chosen, now, settings.lateness_seconds)
    _print(report)
    if html is not None:
        from expectations import data_docs  # noqa: PLC0415

        index = data_docs.write(report.judged, html, chosen.isoformat(), now)
        typer.echo(f"\nData Docs: {index.as_uri()}")
    if report.errors:
        raise typer.Exit(1)


def _day(given: str | None, today: date) -> date:
    if given is None:
        return today
    try:
        chosen = date.fromisoformat(given)
    except ValueError:
        raise SettingsError(f"--day {given!r} is no day: write it as {today.isoformat()}") from None
    if chosen > today:
        raise SettingsError(f"--day {given} is yet to come: today is {today.isoformat()} (UTC)")
    return chosen


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputFileError(f"--html {folder}: {error.strerror}. Name a folder that you may write to") from None
    if not os.access(folder, os.W_OK):
        raise InputFileError(f"--html {folder}: not allowed to write there. Name another folder")


def _print(report: "DayReport") -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from orchestration.day_report import as_rows  # noqa: PLC0415

    # On a terminal as wide as that; in a file or a pipe nothing is cut off.
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(title=f"Quality of {report.day.isoformat()}", title_justify="left")
    for name in ("table", "check", "result"):
        table.add_column(name, no_wrap=True)
    for name in ("offenders", "examined", "observed"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in as_rows(report.findings):
        style = {"error": "red", "warning": "yellow"}.get(row["result"])
        figures = (f"{row['offenders']:,}", f"{row['examined']:,}", row["observed"])
        table.add_row(row["table"], row["check"], row["result"], *figures, style=style)
    console.print(table)
    for finding in report.failed:
        console.print(f"\n[bold]{finding.table} {finding.check}[/bold]: {finding.detail}", highlight=False)
        for offender in finding.sample[:5]:
            told = ", ".join(f"{name}={value}" for name, value in offender.items())
            console.print("   " + told, highlight=False, markup=False)
    totals = ", ".join(f"{each.table}.{each.name} {each.value:,}" for each in report.totals)
    console.print(f"\n{totals or 'The lake holds nothing of that day.'}", highlight=False)
    warnings = len(report.failed) - len(report.errors)
    console.print(f"{len(report.findings)} checks: {len(report.errors)} errors, {warnings} warnings", highlight=False)
