"""What a checkpoint of `detect` begins with: nothing, or what `sensorlake reshard` has carried over.

    <checkpoint>/seeds/<shard>.fleet    the fleet that a shard without a state begins from
    <checkpoint>/seeds/offsets.json     where in the raw topic the query begins

Spark could be given the state as a frame (`initialState`), but reads it in the first batch alone, which there is none
of until a message comes, and runs a query that has one along another, slower path for ever.
"""

from collections.abc import Mapping
from pathlib import Path

from sensorlake.errors import CheckpointError
from sensorlake.settings import Settings
from streaming import checkpoints, state_paths

QUERY = "detect"
UNFINISHED = "detect.resharded"
SHARDS = "shards"
_REPAIR = "`sensorlake reshard`, with the stream stopped, carries over what is known of the devices"


def checkpoint(settings: Settings, made_for: Mapping[str, str]) -> Path:
    """The checkpoint folder of the query, made for this source, target and number of shards.

    Raises:
        CheckpointError: there is one for something else, or a change of the number of shards was cut off.
    """
    root = settings.checkpoint_dir
    if checkpoints.made_for(root, UNFINISHED):
        raise CheckpointError(f"query {QUERY}: a change of its shards was cut off. {_REPAIR}.")
    found = checkpoints.made_for(root, QUERY).get(SHARDS)
    if found is not None and found != str(settings.detect_shards):
        raise CheckpointError(
            f"query {QUERY}: its checkpoint {root / QUERY} has {found} shards, and SENSORLAKE_DETECT_SHARDS is "
            f"{settings.detect_shards}. {_REPAIR}; or go back to {found}."
        )
    path = checkpoints.folder(root, QUERY, {**made_for, SHARDS: str(settings.detect_shards)})
    state_paths.settle(path)
    return path


def folder(checkpoint: Path) -> Path:
    return checkpoint / "seeds"


def offsets_file(checkpoint: Path) -> Path:
    return folder(checkpoint) / "offsets.json"


def starting_offsets(checkpoint: Path) -> dict[str, str]:
    """Option of the Kafka source for a checkpoint that has not begun; Spark overlooks it in one that has."""
    note = offsets_file(checkpoint)
    return {"startingOffsets": note.read_text("utf-8")} if note.is_file() else {}
