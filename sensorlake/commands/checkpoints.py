"""The commands that look at the stream's checkpoints and begin one anew."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from sensorlake import settings as settings_module

if TYPE_CHECKING:
    from streaming.restarting import Restarted


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    group = typer.Typer(help="Where each query of the stream has got to, and beginning one anew.", no_args_is_help=True)
    group.command("list")(list_checkpoints)
    group.command()(restart)
    app.add_typer(group, name="checkpoints")


def list_checkpoints() -> None:
    """Each query's checkpoint, its last batch, and what is wrong with it; exit status 1 where something is."""
    from streaming import checkpoints  # noqa: PLC0415  the command line stays quick

    root = settings_module.load(service="stream").checkpoint_dir
    damaged = False
    for path in sorted(path for path in root.glob("*") if path.is_dir()):
        what = checkpoints.damage(path)
        damaged |= what is not None and ".before-" not in path.name
        typer.echo(f"{path.name}: batch {checkpoints.last_batch(path)}, {what or 'whole'}")
    if damaged:
        raise typer.Exit(1)


def restart(query: Annotated[str, typer.Argument(help="As `sensorlake status` names it, such as lake.")]) -> None:
    """Begin a query anew where nothing is lost or doubled, with the stream stopped; the old checkpoint is kept."""
    from sensorlake.errors import StreamError  # noqa: PLC0415
    from streaming import checkpoint_lock, restarting  # noqa: PLC0415  Spark takes seconds to import
    from streaming.queries import QUERIES  # noqa: PLC0415

    if query not in QUERIES:
        raise StreamError(f"no query {query}; there are: {', '.join(QUERIES)}")
    settings = settings_module.load(service="stream")
    with checkpoint_lock.held(settings.checkpoint_dir):
        done = restarting.restart(settings, query)
    for line in _told(query, done):
        typer.echo(line)


def _told(query: str, done: "Restarted") -> list[str]:
    begin = done.begin
    if begin.topic is None:
        where = "at the first commit of the lake's tables"
    elif begin.offsets is None:
        where = f"at the oldest message of {begin.topic}"
    else:
        where = f"in {begin.topic} at " + ", ".join(f"{number}:{offset}" for number, offset in begin.offsets.items())
    lines = [f"{query} begins {where}"]
    if begin.remade:
        lines.append(
            f"{begin.topic} was deleted and made anew: messages of the old one that had not been read are lost, and "
            "nobody can say how many"
        )
    for partition, (first, end) in begin.lost.items():
        lines.append(f"lost: {end - first} messages, offsets {first} to {end - 1} of partition {partition}")
    if done.kept is not None:
        lines.append(f"the checkpoint before is kept in {done.kept}")
    lines.append(json.dumps({"query": query, "lost_messages": begin.lost_messages, "topic_remade": begin.remade}))
    return lines
