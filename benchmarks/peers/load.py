"""What every engine is sent: one metric a message, some beyond their limit, some that are no readings."""

import re
from dataclasses import dataclass, replace

import numpy as np
import orjson

from benchmarks.load import Paced
from benchmarks.violations import ViolatingRun, chosen_sensors, sensor_of
from edge.block import Block
from edge.metrics import METRICS
from edge.simulator import Simulator

_OWN = {metric.name for metric in METRICS}
_VALUE = re.compile(rb'"value":[^,}]+')


@dataclass(frozen=True)
class PeersPlan(Paced):
    """`broken_every`: of this many messages one has a value that is no number, none of them beyond a limit."""

    violating_share: float
    broken_every: int

    def run(self) -> "PlainRun":
        whole = self.warmup_seconds + self.seconds
        simulator = Simulator(self.sensors, 0.0, self.seed, self.start, rate=self.rate, seconds=whole)
        mask = chosen_sensors(self.sensors, self.violating_share, self.seed)
        return PlainRun(simulator, mask, self.broken_every)


class PlainRun(ViolatingRun):
    """A run whose messages have one metric each: engines that want a schema beforehand can read them."""

    def __init__(self, simulator: Simulator, mask: np.ndarray, broken_every: int) -> None:
        super().__init__(simulator, mask)
        self._broken_every = broken_every

    def block(self, first: int, count: int) -> Block:
        block = super().block(first, count)
        payloads = [plain(payload) for payload in block.payloads]
        for row in self._broken(first, len(payloads)):
            payloads[row] = _VALUE.sub(b'"value":"?"', payloads[row])
        return replace(block, payloads=payloads, values=np.ones_like(block.values))

    def broken(self) -> int:
        """How many messages of the run are no readings."""
        return sum(len(self._broken(first, 100_000)) for first in range(0, self.total or 0, 100_000))

    def _broken(self, first: int, count: int) -> list[int]:
        count = min(count, (self.total or first + count) - first)
        index = np.arange(first, first + count)
        rows = (index % self._broken_every == self._broken_every - 1) & ~self.mask[sensor_of(self.simulator, index)]
        return [int(row) for row in np.flatnonzero(rows)]


def plain(payload: bytes) -> bytes:
    """A message with the device's own metric alone, in the shape of one metric a message."""
    if payload.startswith(b'{"sensor_id"'):
        return payload
    said = orjson.loads(payload)
    if "metric" in said:
        return payload
    name = next(metric for metric in said if metric in _OWN)
    place = {"unit": None, "location": said.get("location")}
    return orjson.dumps(
        {
            "sensor_id": said["device_id"],
            "timestamp": said["timestamp"],
            "metric": name,
            "value": said[name],
            "meta": place,
        }
    )
