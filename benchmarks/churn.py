"""Sensors that come and go: a part of the fleet is replaced by new devices, one after the other and again and again."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.load import Plan
from benchmarks.violations import ViolatingRun, sensor_of
from edge.block import Block


@dataclass(frozen=True)
class ChurningPlan(Plan):
    """A plan in which `churn_share` of the sensors that do not violate live for `life_seconds`: then the device is
    silent for ever, and one of a new name sends in its place."""

    churn_share: float = 0.0
    life_seconds: float = 600.0

    def run(self) -> "ChurningRun":
        violating = super().run()
        return ChurningRun(violating, churned_sensors(violating.mask, self.churn_share), self.life_seconds)


def churned_sensors(violating: NDArray[np.bool_], share: float) -> NDArray[np.int64]:
    """Numbers of the sensors whose devices are replaced."""
    steady = np.flatnonzero(~violating)
    count = round(len(steady) * share)
    return steady[np.linspace(0, len(steady) - 1, count).astype(np.int64)] if count else steady[:0]


class ChurningRun(ViolatingRun):
    """A violating run whose messages of `churned` sensors carry the name of the device that lives then."""

    def __init__(self, inner: ViolatingRun, churned: NDArray[np.int64], life_seconds: float) -> None:
        super().__init__(inner.simulator, inner.mask)
        self._life_micros = life_seconds * 1e6
        # All at once they would be a wave and not a fleet: each begins at another point of its life.
        self._age = np.full(self.simulator.sensors, np.nan)
        self._age[churned] = np.arange(len(churned)) / max(1, len(churned))

    def block(self, first: int, count: int) -> Block:
        block = super().block(first, count)
        sensor = sensor_of(self.simulator, np.arange(first, first + len(block.payloads)))
        generation = self.generations(sensor, block.due)
        rows = np.flatnonzero(generation)
        if not len(rows):
            return block
        keys, payloads = list(block.keys), list(block.payloads)
        for row in rows.tolist():
            fresh = b"%s-%d" % (keys[row], generation[row])
            payloads[row] = payloads[row].replace(b'"%s"' % keys[row], b'"%s"' % fresh, 1)
            keys[row] = fresh
        return replace(block, keys=keys, payloads=payloads)

    def generations(self, sensor: NDArray[np.int64], due: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which device of a sensor lives at a time; 0 is the first, and the only one of those that stay."""
        lives = (due - self.start) / self._life_micros + self._age[sensor]
        return np.where(np.isnan(lives), 0, np.floor(lives)).astype(np.int64)

    def devices(self, end: int) -> int:
        """How many devices have sent by `end` (microseconds since 1970)."""
        churned = np.flatnonzero(~np.isnan(self._age))
        last = self.generations(churned, np.full(len(churned), end))
        return self.simulator.sensors + int(last.sum())
