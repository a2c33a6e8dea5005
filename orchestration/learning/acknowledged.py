"""What operators said of alarms, and the learned limits that follow from it. `widened` is pure.

    z of an alarm = |value - mean| / stddev, by the candidate's own mean and stddev

A limit that would raise an acknowledged false alarm again gets a `z_limit` just beyond it: at most `MOST` times as
wide, and never so wide that an anomaly which was confirmed would pass. Hard limits are physical and stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from contracts.detectors import learned
from detection.detectors.missing import Missing
from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES

Key = tuple[str, str]

MOST = 3.0
_BEYOND, _SHORT_OF = 1.05, 0.95


@dataclass(frozen=True)
class Said:
    """Values of one device and metric that operators judged."""

    false_alarms: list[float] = field(default_factory=list)
    confirmed: list[float] = field(default_factory=list)


def judged(lake: Lake, verdicts: Mapping[str, bool], since: datetime) -> dict[Key, Said]:
    """The judged values of the lake's anomalies since a moment, by device and metric."""
    table = lake.find(ANOMALIES)
    if table is None or not verdicts:
        return {}
    chosen = (ds.field("event_date") >= since.date()) & ds.field("anomaly_id").isin(pa.array(verdicts, pa.string()))
    # The value of a silence is its seconds.
    chosen &= ds.field("detector") != learned(Missing.name)
    columns = ["anomaly_id", "device_id", "metric", "value"]
    found: dict[Key, Said] = {}
    for row in table.to_pyarrow_dataset().to_table(columns=columns, filter=chosen).to_pylist():
        said = found.setdefault((row["device_id"], row["metric"]), Said())
        (said.confirmed if verdicts[row["anomaly_id"]] else said.false_alarms).append(row["value"])
    return found


def widened(row: Mapping[str, Any], said: Said) -> dict[str, Any]:
    """What changes of a learned limit; nothing where it raises none of the acknowledged false alarms."""
    mean, stddev, z_limit = row["mean"], row["stddev"], row["z_limit"]
    if not said.false_alarms or mean is None or not stddev or z_limit is None:
        return {}
    repeated = [z for z in (abs(value - mean) / stddev for value in said.false_alarms) if z > z_limit]
    confirmed = [z for z in (abs(value - mean) / stddev for value in said.confirmed) if z > z_limit]
    if not repeated:
        return {}
    most = min([MOST * z_limit, *(_SHORT_OF * z for z in confirmed)])
    wanted = min(_BEYOND * max(repeated), most)
    if wanted <= z_limit:
        return {}
    silent = sum(z <= wanted for z in repeated)
    return {"z_limit": wanted, "note": f"widened from {z_limit:.3g}: {silent} acknowledged false alarms"}
