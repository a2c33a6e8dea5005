"""What processes had used up at a moment, and what that makes of the time between two."""

import time
from dataclasses import dataclass
from typing import Any

from benchmarks.load import Sent
from benchmarks.observers import processes
from sensorlake.settings import Settings


@dataclass(frozen=True)
class Moment:
    """CPU seconds used up to a moment: by the stack's processes, the observers, the machine; and its time."""

    stack: dict[str, float]
    own: float
    busy: float
    at: float

    @classmethod
    def now(cls, settings: Settings) -> "Moment":
        return cls(processes.cpu_seconds(settings), processes.own_seconds(), processes.busy_seconds(), time.monotonic())


def cores_used(before: Moment, after: Moment, sent: Sent) -> dict[str, Any]:
    """Cores in use between the two; `others` is what programs beside the benchmark took away from it."""
    seconds = after.at - before.at
    stack = sum(after.stack.values()) - sum(before.stack.values())
    own = after.own - before.own
    others = (after.busy - before.busy - stack - own) / seconds - sent.cpu_share
    cores = {"stack": stack / seconds, "observers": own / seconds, "load": sent.cpu_share, "others": max(0.0, others)}
    return {"cores_used": {name: round(share, 3) for name, share in cores.items()}}
