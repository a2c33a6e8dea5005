"""Limits of their own for every sensor of a fleet, as if they had been learned: the table as large as it gets."""

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from edge import fleet, limits
from edge.metrics import METRICS
from lakehouse import registry, thresholds
from lakehouse.lake import Lake
from sensorlake.settings import Settings


def publish(settings: Settings, sensors: int, seed: int) -> None:
    """Publish the registry's limits, and then the same for each device and its metric."""
    registry.migrate(settings)
    lake = Lake.of(settings)
    thresholds.ensure_first_version(lake, registry.alert_rules(settings))
    live, rules = thresholds.live(lake)
    rows = pa.concat_tables([rules, rows_of(sensors, seed)])
    reason = thresholds.Reason("refresh", "sensorlake bench", "a row for every sensor")
    thresholds.publish(lake, rows, reason, replacing=live.version)


def rows_of(sensors: int, seed: int) -> pa.Table:
    """Rows for the fleet of `edge.simulator` of this size and seed; no z-score, so that the alerts stay the same."""
    made, known = fleet.build(sensors, seed), limits.load()
    names = np.array([metric.name for metric in METRICS])
    bounds = np.array([(known[name].lower, known[name].upper) for name in names])[made.metric]
    columns = {
        "device_id": pa.array(made.names),
        "metric": pa.array(names[made.metric]),
        "lower": pa.array(bounds[:, 0]),
        "upper": pa.array(bounds[:, 1]),
        "source": pa.repeat(thresholds.LEARNED, sensors),
    }
    missing = {"version": 0, "published_at": 0, "published_by": ""}  # stamped when they are published
    for name, value in missing.items():
        kind = thresholds.SCHEMA.field(name).type
        columns[name] = pa.repeat(
            pa.scalar(value).cast(kind) if name != "published_at" else pa.scalar(0, kind), sensors
        )
    return thresholds.complete(pa.table(columns))
