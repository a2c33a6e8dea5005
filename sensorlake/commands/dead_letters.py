"""Commands of the dead letters: messages that were no readings, looked at, corrected and sent again."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lakehouse.dead_letters.letter import DeadLetter
    from lakehouse.dead_letters.table import Group
    from lakehouse.registry.replays import Outcome

_SHOWN = 4000

Reason = Annotated[
    str | None,
    typer.Option(help="A whole dq_reason, or the part before its colon: wrong_type means wrong_type:value, too."),
]
Day = Annotated[str | None, typer.Option(help="Only those that arrived on this day, UTC (YYYY-MM-DD).")]
From = Annotated[str | None, typer.Option("--from", help="Only from this day on.")]
To = Annotated[str | None, typer.Option(help="Only up to this day, with it.")]

commands = typer.Typer(no_args_is_help=True, help="Messages that were no readings: list, show, replay.")


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.add_typer(commands, name="dead-letters")


@commands.command("list")
def list_groups(
    *,
    reason: Reason = None,
    day: Day = None,
    first: From = None,
    to: To = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Count dead letters by reason and day, the newest day first."""
    from contracts.topics import Topics  # noqa: PLC0415  heavy modules are imported by the command that needs them
    from lakehouse.dead_letters import selection, table  # noqa: PLC0415
    from lakehouse.lake import Lake  # noqa: PLC0415
    from lakehouse.registry import replays  # noqa: PLC0415
    from lakehouse.storage import require_answer  # noqa: PLC0415
    from sensorlake import settings  # noqa: PLC0415
    from sensorlake.errors import StackError  # noqa: PLC0415

    chosen = settings.load()
    require_answer(chosen)
    found = table.groups(Lake.of(chosen), selection.between(reason, day, first, to))
    try:
        done = replays.counts(chosen, Topics(chosen.topic_prefix).raw)
    except StackError as error:
        typer.echo(f"what was replayed is not known: {error}", err=True)
        done = {}
    rows = [(group, done.get((group.reason, group.day), {})) for group in found]
    if as_json:
        typer.echo(json.dumps([_as_json(group, outcomes) for group, outcomes in rows], indent=2))
        return
    if not found:
        typer.echo("no dead letters")
        return
    typer.echo(
        f"{'day':10}  {'count':>9}  {'sent again':>10}  {'quarantined':>11}  {'newest (UTC)':12}  {'id':>12}  "
        f"{'device':20}  reason"
    )
    for group, outcomes in rows:
        typer.echo(_line(group, outcomes))


@commands.command()
def show(
    place: Annotated[str | None, typer.Argument(help="A dead letter's id, such as 0:17.", metavar="[ID]")] = None,
    *,
    reason: Reason = None,
    day: Day = None,
    last: Annotated[int, typer.Option(min=1, max=1000, help="Without an ID: so many, the newest first.")] = 5,
) -> None:
    """Show one dead letter, or the last ones of a reason: the message, why and when.

    Bytes that are no UTF-8 are escaped, and so are control characters: nothing in a message reaches the terminal.
    """
    from lakehouse.dead_letters import selection, table  # noqa: PLC0415  imports Arrow
    from lakehouse.dead_letters.letter import Place  # noqa: PLC0415
    from lakehouse.lake import Lake  # noqa: PLC0415
    from lakehouse.storage import require_answer  # noqa: PLC0415
    from sensorlake import settings  # noqa: PLC0415
    from sensorlake.errors import DeadLetterError  # noqa: PLC0415

    chosen = settings.load()
    require_answer(chosen)
    lake = Lake.of(chosen)
    if place:
        found = table.newest(lake, selection.Selection(place=Place.parse(place)), last)
        if not found:
            raise DeadLetterError(f"there is no dead letter {place}: `sensorlake dead-letters list` shows some ids")
    else:
        found = table.newest(lake, selection.between(reason, day), last)
    typer.echo("\n\n".join(_described(letter) for letter in found) or "no dead letters")


@commands.command()
def replay(
    *,
    reason: Annotated[str, typer.Option(help="Which: a dq_reason, or the part before its colon.")],
    day: Day = None,
    first: From = None,
    to: To = None,
    patch: Annotated[
        str | None,
        typer.Option(help='Correct each message by this JSON merge patch (RFC 7396), such as \'{"unit": "K"}\'.'),
    ] = None,
    set_timestamp_now: Annotated[
        bool, typer.Option("--set-timestamp-now", help="Give each message the present time as its timestamp.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Send at most so many.")] = None,
    rate: Annotated[float, typer.Option(min=1, max=100_000, help="Messages a second at most.")] = 1000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Send dead letters to the raw topic again, where the stream judges them as it judges any message.

    A letter is sent once; should it fail again, it is a new dead letter with a higher replay_count, until it is
    quarantined after three tries. The last line of the output is a JSON summary.
    """
    from lakehouse.dead_letters import patch as patches  # noqa: PLC0415  imports Arrow
    from lakehouse.dead_letters import selection  # noqa: PLC0415
    from lakehouse.dead_letters.replay import Plan  # noqa: PLC0415
    from lakehouse.dead_letters.run import replay_selected  # noqa: PLC0415
    from lakehouse.lake import Lake  # noqa: PLC0415
    from lakehouse.storage import require_answer  # noqa: PLC0415
    from sensorlake import settings  # noqa: PLC0415

    chosen = settings.load()
    plan = Plan(patches.correction(patch, set_timestamp_now), limit, rate, dry_run)
    require_answer(chosen)
    run = f"command {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    tally = replay_selected(chosen, Lake.of(chosen), selection.between(reason, day, first, to), plan, run)
    typer.echo(tally.sentence(dry_run=dry_run))
    typer.echo(json.dumps(tally.as_dict() | {"dry_run": dry_run}))


def _line(group: "Group", outcomes: "Mapping[Outcome, int]") -> str:
    from lakehouse.dead_letters.letter import printable  # noqa: PLC0415  imports Arrow

    # A reason may end with a name out of the message.
    reason = printable(group.reason.encode(), 80)
    return (
        f"{group.day}  {group.count:9}  {outcomes.get('sent', 0):10}  {outcomes.get('quarantined', 0):11}  "
        f"{group.newest:%H:%M:%S}      {group.example!s:>12}  {group.device:20}  {reason}"
    )


def _as_json(group: "Group", outcomes: "Mapping[Outcome, int]") -> dict[str, object]:
    return {
        "reason": group.reason,
        "day": group.day.isoformat(),
        "count": group.count,
        "sent_again": outcomes.get("sent", 0),
        "quarantined": outcomes.get("quarantined", 0),
        "newest": group.newest.isoformat(),
        "example": str(group.example),
        "device": group.device,
    }


def _described(letter: "DeadLetter") -> str:
    from lakehouse.dead_letters.letter import described  # noqa: PLC0415  imports Arrow

    return described(letter, _SHOWN)
