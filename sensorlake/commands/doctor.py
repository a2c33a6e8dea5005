"""The command that looks at this installation and says what is not well."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from stack.doctor.examination import Examination


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(doctor)


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Check ports, file modes, credentials, connections, certificates, versions, disk and clock.

    Exit status 1 where something is found.
    """
    from sensorlake import settings  # noqa: PLC0415  heavy modules are imported by the command that needs them
    from stack.doctor import examination  # noqa: PLC0415

    found = examination.examine(settings.load())
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2))
    else:
        _show(found)
    if found.findings:
        raise typer.Exit(1)


def _show(found: "Examination") -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    overview = Table("looked at", "found", box=None, pad_edge=False)
    for area in found.areas:
        number = len(found.of(area))
        overview.add_row(area, f"[yellow]{number} to look into[/]" if number else "[green]all well[/]")
    details = Table("", "", show_header=False, show_lines=False, box=None, pad_edge=False)
    details.columns[1].overflow = "fold"  # a path stays whole for whoever copies it
    for finding in found.findings:
        details.add_row("")
        details.add_row(f"[bold]{finding.area}[/]", f"[bold]{escape(finding.what)}[/]")
        details.add_row("why", escape(finding.why))
        details.add_row("do", escape(finding.remedy))
    console = Console()
    console.print(overview)
    if found.findings:
        console.print(details)
