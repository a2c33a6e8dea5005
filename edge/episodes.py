"""Which sensors misbehave, how and when: planned before the first reading is sent, so the truth is known in advance.

A run is divided into windows; every affected sensor has one episode in each window in which it sends at all. The
affected sensors are the same all through a run, so the others may be judged as normal ones.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from edge.fleet import Fleet
from edge.limits import Limit
from edge.metrics import METRICS, SimulatedMetric
from edge.shapes import Floats, Integers

QUIET_SHARE = 0.2  # the start of a window stays normal, so that a detector sees what normal is


class Kind(IntEnum):
    SPIKE = 0
    DRIFT = 1
    STUCK = 2
    NOISE = 3


@dataclass(frozen=True)
class Episodes:
    """Arrays of shape (episodes,), and `of_sensor` of shape (sensors,): the episode of a sensor, or -1.

    `first` and `last` are indices of messages (both inclusive). `magnitude` is, by kind: spike, the value reported;
    drift, the offset reached at the end; stuck, 0; noise, the factor on the sensor's usual noise.
    """

    sensor: Integers
    kind: Integers
    first: Integers
    last: Integers
    magnitude: Floats
    of_sensor: Integers


def affected_sensors(sensors: int, anomaly_rate: float, seed: int) -> Integers:
    """round(sensors * anomaly_rate) sensor indices, sorted."""
    rng = np.random.default_rng([seed, 1])
    return np.sort(rng.choice(sensors, size=round(sensors * anomaly_rate), replace=False)).astype(np.int64)


def plan(
    fleet: Fleet, affected: Integers, limits: dict[str, Limit], *, first: int, end: int, seed: int, window: int
) -> Episodes:
    """The episodes of the messages `first` to `end` - 1, which are window number `window` of the run."""
    rng = np.random.default_rng([seed, 2, window])
    sensors = len(fleet.order)
    place = np.empty(sensors, dtype=np.int64)
    place[fleet.order] = np.arange(sensors)
    opening = first + (place[affected] - first) % sensors  # index of the first message of each affected sensor
    count = np.maximum(0, -((opening - end) // sensors))
    kind = rng.permutation(np.arange(len(affected)) % len(Kind))
    share = rng.uniform(0.25, 0.6, len(affected))
    brief = rng.integers(1, 4, len(affected))
    length = np.where(kind == Kind.SPIKE, brief, np.maximum(5, share * np.minimum(count, 600)).astype(np.int64))
    length = np.minimum(length, count)
    earliest = np.minimum(np.ceil(count * QUIET_SHARE).astype(np.int64), count - length)
    onset = earliest + (rng.random(len(affected)) * (count - length - earliest + 1)).astype(np.int64)
    magnitude = np.zeros(len(affected))
    up, size = rng.random(len(affected)) < 0.5, rng.random(len(affected))
    for row, sensor in enumerate(affected):
        metric = METRICS[fleet.metric[sensor]]
        if kind[row] == Kind.SPIKE:
            magnitude[row] = _spike(metric, limits[metric.name], bool(up[row]), float(size[row]))
        elif kind[row] == Kind.DRIFT:
            magnitude[row] = (1 if up[row] else -1) * (8 + 12 * size[row]) * fleet.noise[sensor]
        elif kind[row] == Kind.NOISE:
            magnitude[row] = 6 + 6 * size[row]
    seen = count > 0
    of_sensor = np.full(sensors, -1, dtype=np.int64)
    of_sensor[affected[seen]] = np.arange(int(seen.sum()))
    start = opening + onset * sensors
    last = start + (length - 1) * sensors
    return Episodes(affected[seen], kind[seen], start[seen], last[seen], magnitude[seen], of_sensor)


def _spike(metric: SimulatedMetric, limit: Limit, up: bool, size: float) -> float:
    if up or metric.spike_below is None:
        low, high = metric.spike_above
        return round(limit.upper + low + size * (high - low), metric.decimals)
    low, high = metric.spike_below
    return round(limit.lower - low - size * (high - low), metric.decimals)
