"""Readings beyond the limit of their metric, known beforehand, so that every expected anomaly has a name.

The simulator's own faults are too few and too random for percentiles. Here a share of the sensors sends nothing but
values beyond the limit: their turns lie anywhere in a round of the fleet, so that the anomalies are spread over time,
and InfluxDB holds few series of them, so that looking for them stays cheap.
"""

from dataclasses import replace

import numpy as np
import orjson
from numpy.typing import NDArray

from edge import limits
from edge.block import Block
from edge.metrics import METRICS
from edge.simulator import Simulator

_BEYOND = 1.25  # times the upper limit, plus 1 for limits about 0


def chosen_sensors(sensors: int, share: float, seed: int) -> NDArray[np.bool_]:
    """Which of the sensors violate: a mask of shape (sensors,), at least one True."""
    mask = np.zeros(sensors, dtype=np.bool_)
    rng = np.random.default_rng([seed, 0xBE])
    mask[rng.choice(sensors, size=max(1, round(sensors * share)), replace=False)] = True
    return mask


class ViolatingRun:
    """A simulator's run in which the sensors of `mask` report values beyond the limit; paced like any other source."""

    def __init__(self, simulator: Simulator, mask: NDArray[np.bool_]) -> None:
        self.simulator = simulator
        self.mask = mask
        self.start = simulator.start
        self.rate = simulator.rate
        self.total = simulator.total

    def block(self, first: int, count: int) -> Block:
        block = self.simulator.block(first, count)
        index = np.arange(first, first + len(block.payloads))
        rows = np.flatnonzero(self.mask[sensor_of(self.simulator, index)])
        if not len(rows):
            return block
        payloads = list(block.payloads)
        for row in rows.tolist():
            payloads[row] = beyond_limit(payloads[row])
        beyond = block.beyond.copy()
        beyond[rows] = True
        return replace(block, payloads=payloads, beyond=beyond)


def sensor_of(simulator: Simulator, message: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sensor that sends each message."""
    sensors: NDArray[np.int64] = simulator.fleet.order[message % simulator.sensors]
    return sensors


def beyond_limit(payload: bytes) -> bytes:
    """The same message with its own metric beyond the upper limit; battery and signal stay as they are."""
    body = orjson.loads(payload)
    if "metric" in body:
        body["value"] = _beyond(body["metric"])
    else:
        name = next(metric.name for metric in METRICS if metric.name in body)
        body[name] = _beyond(name)
    return orjson.dumps(body)


_UPPER = {name: limit.upper for name, limit in limits.load().items()}


def _beyond(metric: str) -> float:
    return round(_UPPER[metric] * _BEYOND + 1, 2)
