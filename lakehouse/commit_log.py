"""The commits of a Delta table as they lie in the storage: those of delta-rs' own history say less."""

import json
from typing import Any

from deltalake.fs import DeltaStorageHandler
from pyarrow import fs  # type: ignore[import-untyped]

from lakehouse.lake import Lake
from lakehouse.tables import Table

THREADS = 8
"""A commit is a small file, and most of the time for it is waiting."""


def of(lake: Lake, table: Table) -> fs.FileSystem:
    """The folder of the table."""
    return fs.PyFileSystem(DeltaStorageHandler(lake.uri(table), dict(lake.options)))


def actions(log: fs.FileSystem, version: int, kind: str) -> list[dict[str, Any]] | None:
    """The actions of one kind (add, commitInfo, ...) in a commit; None where the log does not reach to it any more."""
    try:
        with log.open_input_file(f"_delta_log/{version:020}.json") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return None
    wanted = f'"{kind}"'.encode()
    found = (json.loads(line) for line in lines if wanted in line)
    return [action[kind] for action in found if kind in action]
