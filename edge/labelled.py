"""Readings of a simulated fleet with their labels: what models are trained and judged on where no real truth is known.

The first part of the run is without faults, so that there is something normal to learn from.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.episodes import Kind
from edge.metrics import METRICS
from edge.shapes import Floats, Integers
from edge.simulator import Simulator

NORMAL = "normal"
KINDS = (*(kind.name.lower() for kind in Kind), NORMAL)  # a reading without a fault has kind -1, the last


@dataclass(frozen=True)
class Labelled:
    """Readings in order of time. series: number into `devices` and `metrics`; time: microseconds since 1970; value: in
    the metric's unit; kind: number into `KINDS`."""

    devices: list[str]
    metrics: list[str]
    series: Integers
    time: Integers
    value: Floats
    kind: Integers

    @property
    def kind_names(self) -> NDArray[np.str_]:
        return np.array(KINDS)[self.kind]


def readings(
    sensors: int,
    seconds: float,
    *,
    anomaly_rate: float,
    seed: int,
    start: int,
    quiet_share: float = 0.5,
    interval_seconds: float = 1.0,
) -> Labelled:
    """One reading of each sensor every `interval_seconds` for `seconds`, without faults before `quiet_share` of that.

    start: microseconds since 1970. The same arguments give the same readings.
    """
    rate = sensors / interval_seconds
    quiet = Simulator(sensors, 0.0, seed, start, rate=rate, seconds=seconds)
    faulty = Simulator(sensors, anomaly_rate, seed, start, rate=rate, seconds=seconds)
    total = quiet.total or 0
    # Value for value the same as those of the faulty run, where that has no fault.
    first = round(total * quiet_share)
    parts = [*_parts(quiet, 0, first), *_parts(faulty, first, total)]
    sensor, time, value, kind = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Labelled(
        devices=quiet.fleet.names,
        metrics=[METRICS[number].name for number in quiet.fleet.metric.tolist()],
        series=sensor,
        time=time,
        value=value,
        kind=kind % len(KINDS),
    )


def _parts(simulator: Simulator, first: int, end: int) -> list[tuple[Integers, Integers, Floats, Integers]]:
    found = []
    while first < end:
        found.append(simulator.readings(first, end - first))
        first += len(found[-1][0])
    return found
