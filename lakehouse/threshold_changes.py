"""What people do to the thresholds: go back to an earlier version, set a limit by hand, take it away again."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from lakehouse import thresholds
from lakehouse.lake import Lake
from lakehouse.thresholds import LIMITS, MANUAL, SCHEMA, Reason
from sensorlake.errors import ThresholdsError

Key = tuple[str, str]


def roll_back(lake: Lake, number: int, *, by: str, why: str) -> int:
    """Publish the rows of version `number` anew, under a number of their own; limits set by hand since are gone, too.

    Raises:
        ThresholdsError: there is no such version, it is the live one, or another went live meanwhile.
    """
    wanted, live = thresholds.find(lake, number), thresholds.versions(lake)[0]
    if wanted.version == live.version:
        raise ThresholdsError(f"version {number} of the thresholds is the live one already")
    reason = Reason("rollback", by, why, {"rows_of": wanted.version})
    return thresholds.publish(lake, thresholds.rows_of(lake, wanted), reason, replacing=live.version)


def set_by_hand(
    lake: Lake, device_id: str, metric: str, limits: Mapping[str, float | None], *, by: str, why: str
) -> int:
    """Publish the live version with this one limit changed. What `limits` (lower, upper, mean, stddev, z_limit) does
    not name stays as it is for this device and metric. The row outlives refreshes until it is removed.

    Raises:
        ThresholdsError: nothing is limited by it, or it could not judge.
    """
    live, rows = thresholds.live(lake)
    found = {(row["device_id"], row["metric"]): row for row in rows.to_pylist()}
    before = found.get((device_id, metric)) or found.get((thresholds.ANY_DEVICE, metric)) or {}
    row = {name: before.get(name) for name in (*LIMITS, "unit")} | dict(limits)
    _refuse_useless(device_id, metric, row)
    found[device_id, metric] = row | {"device_id": device_id, "metric": metric, "source": MANUAL, "note": why}
    reason = Reason("manual", by, why, {"device_id": device_id, "metric": metric})
    return thresholds.publish(lake, _table(found), reason, replacing=live.version)


def remove_by_hand(lake: Lake, device_id: str, metric: str, *, by: str, why: str) -> int:
    """Take a limit set by hand away: the device has its last learned one again, if it ever had one.

    Raises:
        ThresholdsError: no limit was set by hand for this device and metric.
    """
    live, rows = thresholds.live(lake)
    found = {(row["device_id"], row["metric"]): row for row in rows.to_pylist()}
    key = (device_id, metric)
    if key not in found or found[key]["source"] != MANUAL:
        raise ThresholdsError(f"no limit was set by hand for {device_id} {metric}")
    del found[key]
    if (earlier := _last_not_by_hand(lake, key)) is not None:
        found[key] = earlier
    reason = Reason("removal", by, why, {"device_id": device_id, "metric": metric})
    return thresholds.publish(lake, _table(found), reason, replacing=live.version)


@dataclass(frozen=True)
class Difference:
    """One limit that is not the same in two versions; `before` or `after` is None where it is in one of them only."""

    device_id: str
    metric: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


def differences(before: pa.Table, after: pa.Table) -> Iterator[Difference]:
    """The limits in which two versions differ, by device and metric."""
    old, new = ({(row["device_id"], row["metric"]): row for row in rows.to_pylist()} for rows in (before, after))
    for key in sorted(old.keys() | new.keys()):
        left, right = old.get(key), new.get(key)
        if left is None or right is None or any(left[name] != right[name] for name in (*LIMITS, "source")):
            yield Difference(*key, left, right)


def _last_not_by_hand(lake: Lake, key: Key) -> Mapping[str, Any] | None:
    for version in thresholds.versions(lake):
        for row in thresholds.rows_of(lake, version).to_pylist():
            if (row["device_id"], row["metric"]) == key and row["source"] != MANUAL:
                return dict(row)
    return None


def _refuse_useless(device_id: str, metric: str, row: Mapping[str, float | None]) -> None:
    lower, upper, mean, stddev, z_limit = (row[name] for name in LIMITS)
    named = f"{device_id} {metric}"
    if endless := [name for name in LIMITS if row[name] is not None and not math.isfinite(row[name])]:
        raise ThresholdsError(f"{', '.join(endless)} of {named} must be a number: leave out what is not to limit it")
    if lower is None and upper is None and (mean is None or not stddev or z_limit is None):
        raise ThresholdsError(f"nothing would limit {named}: give lower, upper, or mean, stddev and z-limit together")
    if lower is not None and upper is not None and lower >= upper:
        raise ThresholdsError(f"the lower limit of {named}, {lower:g}, is not below the upper, {upper:g}")
    if (stddev is not None and stddev <= 0) or (z_limit is not None and z_limit <= 0):
        raise ThresholdsError(f"the stddev and the z-limit of {named} must be above 0")


def _table(rows: Mapping[Key, Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([dict(rows[key]) for key in sorted(rows)], schema=SCHEMA)
