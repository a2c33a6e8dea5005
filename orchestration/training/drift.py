"""Have the inputs moved since the models were trained? Readings of the last hours against the newest training set."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from detection import stability
from detection.groups import Groups
from detection.models.examples import TEST
from lakehouse.lake import Lake
from lakehouse.tables import READINGS
from orchestration.training import history, sets

_DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
# With fewer readings than this of a metric, chance alone moves its index.
_LEAST_READINGS = 500


@dataclass(frozen=True)
class Drift:
    """Stability index by metric, of devices that are in training set `version`; `readings` that were compared."""

    version: int
    readings: int
    by_metric: dict[str, float]

    @property
    def largest(self) -> tuple[str | None, float]:
        return max(self.by_metric.items(), key=lambda pair: pair[1], default=(None, 0.0))


def of_inputs(lake: Lake, minutes: float, now: datetime) -> Drift:
    """
    Raises:
        ModelError: there is no training set yet.
    """
    given = sets.newest(lake)
    table = lake.find(READINGS)
    known = given.data.readings
    nothing = Drift(given.version, 0, {})
    if table is None:
        return nothing
    start = now - timedelta(minutes=minutes)
    rows = history.readings(
        table, start, now, devices=len(known.devices), least=1, seed=0, among=frozenset(known.devices)
    )
    pairs = np.unique(np.stack([known.device, known.metric]), axis=1)
    numbers = {(known.devices[d], known.metrics[m]): place for place, (d, m) in enumerate(pairs.T.tolist())}
    keys = zip(rows["device_id"].to_pylist(), rows["metric"].to_pylist(), strict=True)
    found = np.array([numbers.get(key, -1) for key in keys], dtype=np.int64)
    if not (found >= 0).any():
        return nothing
    value, found = rows["value"].to_numpy()[found >= 0], found[found >= 0]
    quiet = (given.data.part != TEST) & ~given.data.abnormal
    place = {pair: number for number, pair in enumerate(map(tuple, pairs.T.tolist()))}
    series = np.array([place[pair] for pair in zip(known.device.tolist(), known.metric.tolist(), strict=True)])
    usual = Groups(series[quiet], pairs.shape[1])
    deciles = usual.quantiles(known.value[quiet], np.ones(int(quiet.sum())), _DECILES)
    expected = stability.shares(deciles, usual.greatest(known.value[quiet]))
    fallen = np.eye(stability.BINS)[stability.bins(found, value, deciles)]
    metric = pairs[1][found]
    by_metric = {}
    for number in np.unique(metric).tolist():
        chosen = (metric == number) & np.isfinite(deciles[found, 0])
        if chosen.sum() >= _LEAST_READINGS:
            index = stability.index(fallen[chosen].sum(axis=0), expected[found[chosen]].mean(axis=0))
            by_metric[known.metrics[number]] = float(index)
    return Drift(given.version, len(value), by_metric)
