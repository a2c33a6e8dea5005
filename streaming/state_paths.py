"""Where the schema of a query's state lies: Spark notes it in the checkpoint as a whole path, so that a data folder
that was moved, or put back from a copy in another place, would not start again."""

import json
import re
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

_SCHEMA = re.compile(r'"file:[^"]*(/state/\d+/_stateSchema/[^"]*)"')


def settle(checkpoint: Path) -> None:
    """Have Spark's notes name the place where this checkpoint lies now."""
    here = json.dumps(f"file:{checkpoint.absolute()}")[:-1]
    for note in checkpoint.glob("state/*/_metadata/v2/[0-9]*"):
        text = note.read_text("utf-8")
        settled = _SCHEMA.sub(lambda found: f'{here}{found[1]}"', text)
        if settled == text:
            continue
        fresh = checkpoint / "state-paths.new"
        fresh.write_text(settled, "utf-8")
        note.with_name(f".{note.name}.crc").unlink(missing_ok=True)  # of the text before
        fresh.replace(note)
        log.info("a checkpoint was moved", query=checkpoint.name, now=str(checkpoint))
