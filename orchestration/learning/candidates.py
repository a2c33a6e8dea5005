"""From baselines and rules to the limits that may be published: rows of the table `threshold_candidates`.

    for each device and metric    mean, stddev      z_limit                       lower, upper      source
    set by hand                   as set            as set                        as set            manual
    with a baseline of enough     the baseline's    the rule's, or wider where    the rule's of     learned
      readings and windows,         centre, and a     usual extremes lie further    the device, else
      and a rule                    spread for it                                   of the metric
    else, the rules themselves    none              the rule's                    the rule's        rule

A metric for which there is no rule gets learned limits with `DEFAULT_Z` and no hard ones.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detection import limits
from detection.windows import Windows
from lakehouse import thresholds
from lakehouse.columns import arrow_schema
from lakehouse.tables import THRESHOLD_CANDIDATES
from lakehouse.thresholds import ANY_DEVICE, LEARNED, MANUAL, RULE
from orchestration.learning import acknowledged
from orchestration.learning.acknowledged import Said
from orchestration.learning.baselines import figures
from orchestration.learning.windows import Series

if TYPE_CHECKING:
    from lakehouse.registry import AlertRule

SCHEMA = arrow_schema(THRESHOLD_CANDIDATES.record)
DEFAULT_Z = 6.0
Key = tuple[str, str]


def rows(
    baselines: pa.Table,
    rules: "Sequence[AlertRule]",
    live: pa.Table,
    last_day: tuple[Windows, Series],
    *,
    min_readings: int,
    now_micros: int,
    said: Mapping[Key, Said] = MappingProxyType({}),
) -> pa.Table:
    """The candidates, in the shape of contracts/schemas/threshold_candidate.avsc; `last_day`: the windows by which
    their alarms are expected; `said`: what operators said of alarms."""
    given = {(rule.device_id or ANY_DEVICE, rule.metric): rule for rule in rules}
    found: dict[Key, dict[str, Any]] = {key: _of_rule(rule) for key, rule in given.items()}
    enough = baselines.filter(
        pc.and_(
            pc.greater_equal(baselines["readings"], min_readings),
            pc.greater_equal(baselines["windows"], limits.LEAST_WINDOWS),
        )
    )
    found |= _learned(enough, given)
    for key in said.keys() & found.keys():
        found[key] |= acknowledged.widened(found[key], said[key])
    live_rows = {(row["device_id"], row["metric"]): row for row in live.to_pylist()}
    found |= {
        key: {name: row[name] for name in (*thresholds.LIMITS, "unit", "source", "note")}
        for key, row in live_rows.items()
        if row["source"] == MANUAL
    }
    for key, row in found.items():
        row.update({"device_id": key[0], "metric": key[1], "computed_at": now_micros})
        row.update(_beside(row, _judging(key, live_rows)))
    _expect(found, live_rows, enough, *last_day)
    ordered = [found[key] for key in sorted(found)]
    return pa.Table.from_pylist(ordered, schema=_SCHEMA_OF_MICROS).cast(SCHEMA)


_SCHEMA_OF_MICROS = SCHEMA.set(SCHEMA.get_field_index("computed_at"), pa.field("computed_at", pa.int64()))


def as_thresholds(candidates: pa.Table) -> pa.Table:
    """The rows that are published."""
    return thresholds.complete(candidates)


def bounds(row: Mapping[str, Any]) -> tuple[float, float]:
    """The least and the greatest value that a limit finds normal; infinite where it does not say."""
    lower, upper = row["lower"], row["upper"]
    least, most = -np.inf if lower is None else lower, np.inf if upper is None else upper
    mean, stddev, z_limit = row["mean"], row["stddev"], row["z_limit"]
    if mean is None or not stddev or stddev <= 0 or z_limit is None:
        return least, most
    return max(least, mean - z_limit * stddev), min(most, mean + z_limit * stddev)


def _of_rule(rule: "AlertRule") -> dict[str, Any]:
    learned = {"mean": None, "stddev": None, "note": None, "source": RULE}
    return {"lower": rule.lower, "upper": rule.upper, "z_limit": rule.z_limit, "unit": rule.unit} | learned


def _learned(baselines: pa.Table, rules: Mapping[Key, "AlertRule"]) -> dict[Key, dict[str, Any]]:
    keys = list(zip(baselines["device_id"].to_pylist(), baselines["metric"].to_pylist(), strict=True))
    if not keys:
        return {}
    rule_of = [rules.get(key) or rules.get((ANY_DEVICE, key[1])) for key in keys]
    asked = np.array([DEFAULT_Z if rule is None else rule.z_limit or np.nan for rule in rule_of])
    codes = baselines["metric"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    known = {name: figures(baselines, name) for name in ("centre", "within", "between", "windows", "low", "high")}
    learned = limits.learn(**known, metric=codes, z_limit=asked)
    found = {}
    for place, key in enumerate(keys):
        rule = rule_of[place]
        found[key] = {
            "lower": rule.lower if rule else None,
            "upper": rule.upper if rule else None,
            "mean": float(learned.mean[place]),
            "stddev": float(learned.stddev[place]),
            # A rule without a distance switches the z-score off for its metric.
            "z_limit": None if np.isnan(asked[place]) else float(learned.z_limit[place]),
            "unit": rule.unit if rule else None,
            "source": LEARNED,
            "note": None,
        }
    return found


def _judging(key: Key, rows: Mapping[Key, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The row that judges a device and metric: its own, else that of every device."""
    return rows.get(key) or rows.get((ANY_DEVICE, key[1]))


def _beside(row: Mapping[str, Any], live: Mapping[str, Any] | None) -> dict[str, Any]:
    """The live limit that the row would replace, and how far it moves."""
    mean, stddev = (live["mean"], live["stddev"]) if live else (None, None)
    moved = None
    if mean is not None and row["mean"] is not None and stddev:
        moved = abs(row["mean"] - mean) / stddev
    counts = dict.fromkeys(("expected_alarms", "live_alarms", "expected_readings"), 0)
    return {"live_mean": mean, "live_stddev": stddev, "change": moved} | counts


def _expect(
    found: Mapping[Key, dict[str, Any]],
    live: Mapping[Key, Mapping[str, Any]],
    baselines: pa.Table,
    windows: Windows,
    series: Series,
) -> None:
    """Count to each row the readings that it would judge, those that it would find abnormal, and those that the live
    limits do. Of a device with a new level only windows of that level tell what is to come."""
    keys = list(zip(series.device_id.to_pylist(), series.metric.to_pylist(), strict=True))
    names = zip(baselines["device_id"].to_pylist(), baselines["metric"].to_pylist(), strict=True)
    begins = dict(zip(names, baselines["since"].cast(pa.int64()).to_pylist(), strict=True))
    since = np.array([begins.get(key, 0) for key in keys], np.int64)
    usable = windows.usable()
    usable = usable.where(usable.start >= since[usable.series])
    rows = [_judging(key, found) for key in keys]
    readings = usable.groups.total(usable.count)
    abnormal = _alarms(usable, rows)
    abnormal_live = _alarms(usable, [_judging(key, live) for key in keys])
    for row, *counts in zip(rows, readings, abnormal, abnormal_live, strict=True):
        if row:
            for name, count in zip(("expected_readings", "expected_alarms", "live_alarms"), counts, strict=True):
                row[name] += int(count)  # type: ignore[index]


def _alarms(windows: Windows, rows: Sequence[Mapping[str, Any] | None]) -> np.ndarray:
    limited = np.array([bounds(row) if row else (-np.inf, np.inf) for row in rows]).reshape(-1, 2)
    return limits.alarms(windows, limited[:, 0], limited[:, 1])
