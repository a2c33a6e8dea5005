"""The simulated sensors: one array an attribute, one entry a sensor."""

from dataclasses import dataclass

import numpy as np

from edge.metrics import METRICS
from edge.shapes import Floats, Integers

SITES = 20
MULTI_METRIC_SHARE = 0.1


@dataclass(frozen=True)
class Fleet:
    """All arrays have shape (sensors,); `order` says which sensor sends first, second and so on in every round."""

    names: list[str]
    locations: list[str]
    metric: Integers
    multi: np.ndarray[tuple[int], np.dtype[np.bool_]]
    order: Integers
    level: Floats
    daily_swing: Floats
    cycle_swing: Floats
    cycle_seconds: Floats
    cycle_phase: Floats
    noise: Floats
    clock_shift: Floats
    battery: Floats
    battery_a_day: Floats
    signal: Floats


def build(sensors: int, seed: int) -> Fleet:
    """A fleet of `sensors` devices; the same seed gives the same fleet."""
    rng = np.random.default_rng([seed, 0])
    metric = rng.choice(len(METRICS), size=sensors, p=[m.share for m in METRICS])

    def draw(ranges: list[tuple[float, float]]) -> Floats:
        low, high = np.array(ranges).T
        drawn: Floats = rng.uniform(low[metric], high[metric])
        return drawn

    width = max(5, len(str(sensors - 1)))
    return Fleet(
        names=[f"sim-{i:0{width}d}" for i in range(sensors)],
        locations=[f"site-{site + 1:02d}" for site in rng.integers(SITES, size=sensors)],
        metric=metric,
        multi=rng.random(sensors) < MULTI_METRIC_SHARE,
        order=rng.permutation(sensors),
        level=draw([m.level for m in METRICS]),
        daily_swing=draw([m.daily_swing for m in METRICS]),
        cycle_swing=draw([m.cycle_swing for m in METRICS]),
        cycle_seconds=rng.uniform(300, 3600, sensors),
        cycle_phase=rng.uniform(0, 2 * np.pi, sensors),
        noise=draw([m.noise for m in METRICS]),
        clock_shift=rng.uniform(-2700, 2700, sensors),
        battery=rng.uniform(60, 100, sensors),
        battery_a_day=rng.uniform(0.05, 0.5, sensors),
        signal=rng.uniform(-92, -55, sensors),
    )
