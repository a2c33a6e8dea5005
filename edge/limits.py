"""The physical limits of the known metrics, as `contracts/limits.json` states them."""

import json
from dataclasses import dataclass
from pathlib import Path

from contracts import avro

FILE = avro.FOLDER.parent / "limits.json"


@dataclass(frozen=True)
class Limit:
    """A value below `lower` or above `upper` (both in `unit`) is an alert whatever else is known."""

    metric: str
    unit: str
    lower: float
    upper: float
    description: str
    source: str


def load(path: Path = FILE) -> dict[str, Limit]:
    """The limits by metric name."""
    return {row["metric"]: Limit(**row) for row in json.loads(path.read_text("utf-8"))}
