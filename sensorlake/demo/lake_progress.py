"""How far the lake query has come, from Spark's own notes in its checkpoint."""

import json
from pathlib import Path


def consumed(checkpoint: Path, topic: str) -> dict[int, int]:
    """The offset after the last consumed message, by partition; nothing where no batch was completed yet."""
    done = [int(path.name) for path in (checkpoint / "commits").glob("*") if path.name.isdigit()]
    if not done:
        return {}
    lines = (checkpoint / "offsets" / str(max(done))).read_text("utf-8").splitlines()
    # a version, the batch's metadata, and a line a source
    for line in lines[2:]:
        source = json.loads(line)
        if isinstance(source, dict) and topic in source:
            return {int(partition): int(offset) for partition, offset in source[topic].items()}
    return {}


def left(ends: dict[int, int], done: dict[int, int]) -> int:
    """How many messages before `ends` are not consumed."""
    return sum(max(0, end - done.get(partition, 0)) for partition, end in ends.items())
