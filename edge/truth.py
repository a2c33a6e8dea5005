"""The injected faults as a CSV file: what a detector is judged by, and what no message ever says."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from edge import wire
from edge.block import Block
from edge.episodes import Kind
from edge.metrics import METRICS
from edge.simulator import Simulator
from sensorlake.errors import InputFileError

COLUMNS = ("device_id", "metric", "kind", "start", "end", "readings", "magnitude")


def rows(simulator: Simulator, window: int) -> Iterator[tuple[str, str, str, str, str, int, float]]:
    """The faults of one window by device; `start` and `end` are the timestamps of the first and last faulty message.

    `magnitude`, by kind: spike, the value reported; drift, the offset reached at the end, in the metric's unit; stuck,
    0; noise, how many times the usual noise.
    """
    planned = simulator.episodes(window)
    fleet = simulator.fleet
    starts, ends = wire.timestamps(simulator.due(planned.first)), wire.timestamps(simulator.due(planned.last))
    readings = ((planned.last - planned.first) // simulator.sensors + 1).tolist()
    columns = (planned.sensor.tolist(), planned.kind.tolist(), starts, ends, readings, planned.magnitude.tolist())
    for sensor, kind, start, end, count, magnitude in zip(*columns, strict=True):
        metric = METRICS[fleet.metric[sensor]].name
        name = Kind(kind).name.lower()
        yield fleet.names[sensor], metric, name, start.decode(), end.decode(), count, round(magnitude, 6)


class TruthFile:
    """A CSV file that always knows more than the readings sent so far; one that is there already is replaced.

    Raises:
        InputFileError: the file cannot be written.
    """

    def __init__(self, path: Path, simulator: Simulator) -> None:
        self.path = path
        self._simulator = simulator
        self._written = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerow(COLUMNS)
        except OSError as error:
            raise InputFileError(f"{path}: the injected faults cannot be written: {error.strerror or error}") from None
        self.cover(0)

    def cover(self, message: int) -> None:
        """Write the windows up to the one that `message` belongs to; call it before that message is sent."""
        while self._written <= self._simulator.window_of(message):
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows(rows(self._simulator, self._written))
            self._written += 1

    def ahead_of(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The same blocks, none before the faults in it are written."""
        for block in blocks:
            self.cover(block.first)
            yield block
