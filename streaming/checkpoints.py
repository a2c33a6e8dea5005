"""Where each query keeps its progress, and the check that a checkpoint belongs to the query that goes on from it.

Spark goes on from any folder it is given. With another topic or another broker behind it, offsets would mean other
messages and be skipped or read twice without a word; so each checkpoint carries what it was made for. Files that are
cut off or gone are looked for before Spark meets them: it would say little, or begin anew.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from sensorlake.errors import CheckpointError

_MADE_FOR = "made-for.json"
# Where in its topic a query without progress begins: what `sensorlake checkpoints restart` leaves for it.
STARTING = "starting-offsets.json"
# A checkpoint from before these were noted takes on what they are today.
_NOTED_LATER = frozenset({"topic_id"})


def folder(root: Path, query: str, made_for: Mapping[str, str], *, begun: bool = False) -> Path:
    """The checkpoint folder of `query`, made for exactly this source and target. `begun`: what already lies in a folder
    without a note is its own.

    Raises:
        CheckpointError: there is one, made for something else, by a later version, or damaged; the message says what
            and what to do.
    """
    path = root / query
    note = path / _MADE_FOR
    if note.is_file():
        found = _read(query, note)
        if later := found.keys() - made_for.keys():
            raise CheckpointError(
                f"query {query}: its checkpoint {path} was made by a later version of sensorlake, which notes "
                f"{', '.join(sorted(later))} of it. Start that version to go on. {_begin_anew(query)}"
            )
        known = {name: made_for[name] for name in _NOTED_LATER & made_for.keys() - found.keys()} | found
        if known != dict(made_for):
            raise CheckpointError(_difference(query, path, known, made_for))
        if (what := damage(path)) is not None:
            raise CheckpointError(f"query {query}: its checkpoint {path} is damaged: {what}. {_begin_anew(query)}")
        if known != found:
            _write(root, query, note, made_for)
        return path
    if not begun and path.is_dir() and any(file.name != STARTING for file in path.iterdir()):
        raise CheckpointError(
            f"query {query}: {path} holds a checkpoint that does not say what it was made for. {_begin_anew(query)}"
        )
    path.mkdir(parents=True, exist_ok=True)
    _write(root, query, note, made_for)
    return path


def has_begun(path: Path) -> bool:
    """Has the query made progress here, or been told where to begin?"""
    return (path / "metadata").is_file() or (path / STARTING).is_file()


def starting_offsets(path: Path) -> dict[str, str]:
    """Option of the Kafka source for a checkpoint that has not begun; Spark overlooks it in one that has."""
    note = path / STARTING
    return {"startingOffsets": note.read_text("utf-8")} if note.is_file() else {}


def damage(path: Path) -> str | None:
    """What is wrong with Spark's own notes in a checkpoint, of what shows from outside; None where nothing is."""
    planned, finished = _batches(path / "offsets"), _batches(path / "commits")
    if not planned and not finished:
        return None
    if not _is_json((path / "metadata").read_text("utf-8") if (path / "metadata").is_file() else ""):
        return "the file metadata is cut off or gone"
    if not planned or (finished and finished[-1] > planned[-1]):
        return f"offsets/{finished[-1]} is gone"
    last = planned[-1]
    # Of a batch that is not finished Spark also has to know where the one before ended.
    needed = [last] if last == 0 or (finished and finished[-1] == last) else [last - 1, last]
    for number in needed:
        if not _is_whole(path / "offsets" / str(number), 3):
            return f"offsets/{number} is cut off or gone"
    if finished and not _is_whole(path / "commits" / str(finished[-1]), 2):
        return f"commits/{finished[-1]} is cut off"
    return None


def last_offsets(path: Path, *, finished: bool) -> str | None:
    """The offsets at which the last batch ended, as Spark's Kafka source writes them; with `finished`, the last one
    that was noted as done. None without one.

    Raises:
        CheckpointError: Spark's notes cannot be read.
    """
    numbers = _batches(path / ("commits" if finished else "offsets"))
    if not numbers:
        return None
    note = path / "offsets" / str(numbers[-1])
    try:
        # A version, the batch's settings, and one line a source.
        offsets = note.read_text("utf-8").splitlines()[2]
        json.loads(offsets)
    except (OSError, ValueError, IndexError):
        raise CheckpointError(f"{note} cannot be read: the checkpoint is damaged") from None
    return offsets


def last_batch(path: Path) -> int | None:
    """The last batch that is noted as done; None where none is."""
    return max(_batches(path / "commits"), default=None)


def _batches(folder: Path) -> list[int]:
    return sorted(int(file.name) for file in folder.glob("[0-9]*") if file.name.isdigit())


def _is_whole(note: Path, lines: int) -> bool:
    """Is there a version and so many lines at least, each of them JSON?"""
    try:
        version, *rest = note.read_text("utf-8").splitlines()
        return version.startswith("v") and len(rest) + 1 >= lines and all(_is_json(line) for line in rest)
    except (OSError, ValueError):
        return False


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return line == "-"  # a source that has nothing yet
    return True


def _write(root: Path, query: str, note: Path, made_for: Mapping[str, str]) -> None:
    # Written beside the folder and renamed: one that was cut off in between is empty, not foreign.
    fresh = root / f"{query}.new"
    fresh.write_text(json.dumps(dict(made_for), indent=1), "utf-8")
    fresh.replace(note)


def _begin_anew(query: str) -> str:
    return f"With the stream stopped, `sensorlake checkpoints restart {query}` begins a new one and says where."


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
            f"checkpoint {path} has no readable file `metadata`: it is damaged. {_begin_anew(path.name)}"
        ) from None
    return identity


def _read(query: str, note: Path) -> dict[str, str]:
    try:
        found = json.loads(note.read_text("utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CheckpointError(f"query {query}: the checkpoint's note {note} is damaged. {_begin_anew(query)}")
    return found


def _difference(query: str, path: Path, found: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    names = [name for name in wanted if found.get(name) != wanted[name]]
    lines = [f"  {name}: made for {found.get(name, 'nothing')}, now {wanted[name]}" for name in names]
    return (
        f"query {query}: its checkpoint {path} was made for something else:\n"
        + "\n".join(lines)
        + f"\nGo back to those settings to go on. {_begin_anew(query)}"
    )
