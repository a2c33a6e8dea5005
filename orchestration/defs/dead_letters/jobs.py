"""Dead letters from Dagster: the same as `sensorlake dead-letters list / show / replay`."""

import dagster as dg
from pydantic import Field

from orchestration.resources.installation import Installation

_TAGS = {"sensorlake/kind": "dead-letters"}
# What was sent is recorded, but a second try by itself would hide that the first one failed.
_ONCE = {"dagster/max_retries": "0"}
_SHOWN = 2000


class Chosen(dg.Config):
    """Which dead letters."""

    reason: str | None = Field(None, description="A whole dq_reason, or the part before its colon; all if left out.")
    day: str | None = Field(None, description="Only those that arrived on this day, UTC (YYYY-MM-DD).")
    first_day: str | None = Field(None, description="Only from this day on.")
    last_day: str | None = Field(None, description="Only up to this day, with it.")


class Shown(Chosen):
    """One dead letter, or the last ones."""

    id: str | None = Field(None, description="A dead letter's id, such as 0:17; goes before the rest.")
    last: int = Field(5, ge=1, le=100, description="So many, the newest first.")


class Replayed(Chosen):
    """Which dead letters are sent again, and how."""

    reason: str = Field(description="A whole dq_reason, or the part before its colon.")
    patch: str | None = Field(None, description="JSON merge patch (RFC 7396) that corrects each message.")
    set_timestamp_now: bool = Field(False, description="Give each message the present time as its timestamp.")
    limit: int | None = Field(None, ge=1, description="Send at most so many.")
    rate: float = Field(1000.0, ge=1, le=100_000, description="Messages a second at most.")
    dry_run: bool = Field(True, description="Only say what would be done. Set it to false to send.")


@dg.op
def count_dead_letters(context: dg.OpExecutionContext, config: Chosen, installation: Installation) -> None:
    """Counts by reason and day, as an observation of the asset `dead_letters`."""
    from lakehouse.dead_letters import selection, table  # noqa: PLC0415  imports Arrow
    from lakehouse.dead_letters.letter import printable  # noqa: PLC0415

    chosen = selection.between(config.reason, config.day, config.first_day, config.last_day)
    found = table.groups(installation.lake, chosen)
    rows = [
        f"| {group.day} | {group.count} | {group.newest:%H:%M:%S} | {group.example} | "
        f"{_cell(group.device)} | {_cell(printable(group.reason.encode(), 80))} |"
        for group in found
    ]
    head = ["| day | count | newest (UTC) | id | device | reason |", "|---|---|---|---|---|---|"]
    total = sum(group.count for group in found)
    context.log.info(f"{total} dead letters")
    context.log_event(
        dg.AssetObservation(
            asset_key="dead_letters",
            metadata={"dead_letters": total, "by_reason_and_day": dg.MetadataValue.md("\n".join([*head, *rows]))},
        )
    )


@dg.op
def look_at_dead_letters(context: dg.OpExecutionContext, config: Shown, installation: Installation) -> None:
    """Dead letters with their messages, in the log of the run."""
    from lakehouse.dead_letters import selection, table  # noqa: PLC0415  imports Arrow
    from lakehouse.dead_letters.letter import Place, described  # noqa: PLC0415

    if config.id:
        chosen = selection.Selection(place=Place.parse(config.id))
    else:
        chosen = selection.between(config.reason, config.day, config.first_day, config.last_day)
    found = table.newest(installation.lake, chosen, config.last)
    for letter in found:
        context.log.info(described(letter, _SHOWN))
    context.log.info(f"{len(found)} dead letters shown")


@dg.op
def send_dead_letters_again(
    context: dg.OpExecutionContext, config: Replayed, installation: Installation
) -> dict[str, int]:
    """Back to the raw topic, each once, recorded in `registry.replays`; after three tries a letter is quarantined.

    Killed half-way it loses nothing, and the next run repeats one batch at most (lakehouse/dead_letters/replay.py).
    """
    from lakehouse.dead_letters import patch, selection  # noqa: PLC0415  imports Arrow
    from lakehouse.dead_letters.replay import Plan  # noqa: PLC0415
    from lakehouse.dead_letters.run import replay_selected  # noqa: PLC0415

    plan = Plan(patch.correction(config.patch, config.set_timestamp_now), config.limit, config.rate, config.dry_run)
    chosen = selection.between(config.reason, config.day, config.first_day, config.last_day)
    tally = replay_selected(installation.settings, installation.lake, chosen, plan, f"dagster {context.run_id}")
    context.log.info(tally.sentence(dry_run=config.dry_run))
    context.add_output_metadata({**tally.as_dict(), "dry_run": config.dry_run})
    return tally.as_dict()


@dg.job(tags=_TAGS)
def list_dead_letters() -> None:
    """Count dead letters by reason and day."""
    count_dead_letters()


@dg.job(tags=_TAGS)
def show_dead_letters() -> None:
    """Show one dead letter, or the last ones."""
    look_at_dead_letters()


@dg.job(tags=_TAGS | _ONCE)
def replay_dead_letters() -> None:
    """Send dead letters to the raw topic again; a dry run unless it is told otherwise."""
    send_dead_letters_again()


def _cell(text: str) -> str:
    """Text in a Markdown table, which must not become markup."""
    return "`" + text.replace("|", "\\|").replace("`", "'") + "`" if text else ""
