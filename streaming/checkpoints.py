"""Where each query keeps its progress, and the check that a checkpoint belongs to the query that goes on from it.

Spark goes on from any folder it is given. With another topic or another broker behind it, offsets would mean other
messages and be skipped or read twice without a word; so each checkpoint carries what it was made for.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from sensorlake.errors import CheckpointError

_MADE_FOR = "made-for.json"

# Sinks know by its id what they have. The lake's tables know only what the checkpoint's last minutes brought.
_START_ANEW = (
    "Move it away to start from the oldest messages that Kafka still has; for the query lake move its tables readings, "
    "dead_letters and features away too, or they hold those messages twice."
)


def folder(root: Path, query: str, made_for: Mapping[str, str], *, begun: bool = False) -> Path:
    """The checkpoint folder of `query`, made for exactly this source and target. `begun`: what already lies in a folder
    without a note is its own.

    Raises:
        CheckpointError: there is one, made for something else; the message says for what and what to do.
    """
    path = root / query
    note = path / _MADE_FOR
    if note.is_file():
        if (found := _read(query, note)) != dict(made_for):
            raise CheckpointError(_difference(query, path, found, made_for))
        return path
    if not begun and path.is_dir() and any(path.iterdir()):
        raise CheckpointError(
            f"query {query}: {path} holds a checkpoint that does not say what it was made for. {_START_ANEW}"
        )
    path.mkdir(parents=True, exist_ok=True)
    # Written beside the folder and renamed: one that was cut off in between is empty, not foreign.
    fresh = root / f"{query}.new"
    fresh.write_text(json.dumps(dict(made_for), indent=1), "utf-8")
    fresh.replace(note)
    return path


def made_for(root: Path, query: str) -> dict[str, str]:
    """What the checkpoint of `query` was made for; nothing where there is none.

    Raises:
        CheckpointError: its note is damaged.
    """
    note = root / query / _MADE_FOR
    return _read(query, note) if note.is_file() else {}


def application_id(path: Path) -> str:
    """The id that Spark gave to this checkpoint; it names the checkpoint to Delta.

    Raises:
        CheckpointError: Spark's note of it is damaged.
    """
    try:
        identity: str = json.loads((path / "metadata").read_text("utf-8").splitlines()[0])["id"]
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        raise CheckpointError(
            f"checkpoint {path} has no readable file `metadata`: it is damaged. Move it away."
        ) from None
    return identity


def _read(query: str, note: Path) -> dict[str, str]:
    try:
        found = json.loads(note.read_text("utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CheckpointError(f"query {query}: the checkpoint's note {note} is damaged. {_START_ANEW}")
    return found


def _difference(query: str, path: Path, found: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    names = [name for name in wanted if found.get(name) != wanted[name]]
    lines = [f"  {name}: made for {found.get(name, 'nothing')}, now {wanted[name]}" for name in names]
    return (
        f"query {query}: its checkpoint {path} was made for something else:\n"
        + "\n".join(lines)
        + f"\nGo back to those settings to go on. {_START_ANEW}"
    )
