"""The example series, replayed over and over, so much faster that something is seen within a minute or two."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import edge
from edge import pacing
from edge.block import Block
from edge.csv_file import CsvFile
from edge.replay import Replay, merged


@dataclass(frozen=True)
class Recording:
    """A file of `edge/examples` and how many times faster than measured it is sent."""

    name: str
    speed: float
    shown: str

    @property
    def path(self) -> Path:
        return Path(edge.__file__).parent / "examples" / f"{self.name}.csv"


# 79 days in about six minutes, a week in about as long; the machine's first failure begins after a minute.
RECORDINGS = (
    Recording("machine_temperature", 18_000, "a machine's temperature (NAB), 18,000 times as fast"),
    Recording("water_quality", 1_800, "drinking water, 9 metrics (GECCO 2018), 1,800 times as fast"),
)


def blocks(clock: pacing.Clock, stop: Callable[[], bool]) -> Iterator[Block]:
    """The rows of both series, due from now on, until `stop`."""
    start = clock.now()
    plans = [
        Replay(start, recording.speed, loop=True).messages(CsvFile(recording.path, recording.name).rows)
        for recording in RECORDINGS
    ]
    return pacing.timed(merged(plans), clock, stop)
