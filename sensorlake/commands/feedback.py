"""The command by which operators say whether an anomaly was one."""

import getpass
from enum import StrEnum
from typing import Annotated

import typer


class Said(StrEnum):
    TRUE = "true"
    FALSE = "false"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(feedback)


def feedback(
    anomaly_id: Annotated[str, typer.Argument(help="The anomaly's id.")],
    verdict: Annotated[Said, typer.Argument(help="Was it real? false: a false alarm.")],
    *,
    note: Annotated[str, typer.Option(help="What was found.")] = "",
    by: Annotated[str | None, typer.Option(help="Who says so. [default: the user of this machine]")] = None,
) -> None:
    """Say whether an anomaly was one: the next judgement of models, the next thresholds and the reports know it."""
    from lakehouse.registry import feedback as verdicts  # noqa: PLC0415  heavy modules are imported where needed
    from sensorlake import settings  # noqa: PLC0415

    given = verdicts.give(settings.load(), anomaly_id, real=verdict is Said.TRUE, by=by or getpass.getuser(), note=note)
    said = "a real anomaly" if given.real else "a false alarm"
    typer.echo(f"{given.anomaly_id}: {said}, says {given.given_by} at {given.given_at:%Y-%m-%d %H:%M:%S %Z}")
