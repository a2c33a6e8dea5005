"""What the supervisor is told about one process."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

# An alert passes through the broker and the stream, and waits for no store: the stores yield to both.
STORE_NICENESS = 5
# What looks back over hours and days can wait a moment more.
BACKGROUND_NICENESS = 10


@dataclass(frozen=True)
class Program:
    """One supervised process. Neither `command` nor `environment` may hold a secret: both stand in the open.

    `started_after`: seconds a process must live to count as started; one that dies sooner waits longer at each restart.
    `priority`: the order of starting; `niceness`: how far it yields to the others when processors are short.
    `stop_group`: its children are told to stop together with it, and not only killed when it took too long.
    """

    name: str
    command: list[str]
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    stop_signal: Literal["TERM", "INT"] = "TERM"
    stop_seconds: int = 20
    started_after: int = 1
    priority: int = 100
    niceness: int = 0
    stop_group: bool = False
