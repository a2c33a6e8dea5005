"""What the supervisor is told about one process."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Program:
    """One supervised process. Neither `command` nor `environment` may hold a secret: both stand in the open.

    `started_after`: seconds a process must live to count as started; one that dies sooner waits longer at each restart.
    """

    name: str
    command: list[str]
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    stop_signal: Literal["TERM", "INT"] = "TERM"
    stop_seconds: int = 20
    started_after: int = 1
    priority: int = 100
