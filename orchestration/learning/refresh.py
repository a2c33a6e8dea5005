"""The three steps of a refresh, each reading and writing the lake: baselines, candidates, the version itself."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, write_deltalake

from detection.baselines import Shift
from detection.windows import Windows
from lakehouse import creation, thresholds
from lakehouse.lake import Lake
from lakehouse.tables import BASELINES, FEATURES, THRESHOLD_CANDIDATES, Table
from lakehouse.thresholds import LEARNED, Reason
from orchestration.learning import acknowledged, baselines, candidates, comparison, windows
from orchestration.learning.comparison import Verdict
from orchestration.learning.windows import Series
from sensorlake.errors import LakeError, ThresholdsError
from sensorlake.settings import Settings

if TYPE_CHECKING:
    from lakehouse.registry import AlertRule

_MINUTE = 60_000_000
# Of these hours windows of one minute are read, of those before windows of five.
_SHORT = timedelta(hours=6)


def write_baselines(lake: Lake, settings: Settings) -> dict[str, Any]:
    """Replace the table `baselines`; what the asset's page shows.

    Raises:
        LakeError: the stream has written no features yet, or none of the days looked at: the table stays as it was.
    """
    now = datetime.now(UTC)
    features = lake.existing(FEATURES)
    start = now - timedelta(days=settings.baseline_days)
    given, series = windows.read(features, start, now, now - _SHORT)
    shift = Shift(lasting=int(settings.shift_minutes * _MINUTE))
    rows = baselines.rows(given, series, _micros(now), shift)
    if rows.num_rows == 0:
        raise LakeError(
            f"the table features has no window since {start:%Y-%m-%d %H:%M} UTC, so there is nothing to learn from: "
            "the baselines stay as they were"
        )
    note = {"features_version": features.version(), "since": start.isoformat(), "windows": len(given.count)}
    version = _replace(lake, BASELINES, rows, note)
    shifted = rows.filter(pc.is_valid(rows["shifted_at"]))
    return {
        "dagster/row_count": rows.num_rows,
        "devices": pc.count_distinct(rows["device_id"]).as_py(),
        "windows": len(given.count),
        "readings": int(pc.sum(rows["readings"]).as_py()),
        "constant": int(pc.sum(pc.equal(rows["spread"], 0.0)).as_py()),
        "new_levels": shifted.num_rows,
        "devices_with_new_levels": ", ".join(shifted["device_id"].to_pylist()[:20]) or "none",
        "features_version": features.version(),
        "table_version": version,
    }


def require_no_rollback(lake: Lake, since: int) -> None:
    """For a refresh that was asked for when version `since` was live, and waited in the queue.

    Raises:
        ThresholdsError: somebody rolled back meanwhile, to limits that this refresh would replace.
    """
    for version in thresholds.versions(lake):
        if version.version > since and version.kind == "rollback":
            raise ThresholdsError(
                f"{version.by} rolled back to the limits of version {version.data['rows_of']} after this refresh was "
                f"asked for ({version.why}): they stay. Launch `refresh_thresholds` by hand to learn all the same"
            )


def write_candidates(
    lake: Lake,
    settings: Settings,
    rules: "Sequence[AlertRule]",
    verdicts: Mapping[str, bool] = MappingProxyType({}),
) -> dict[str, Any]:
    """Replace the table `threshold_candidates`; what the asset's page shows. `verdicts`: what operators said of
    anomalies, by id: is it real?

    Raises:
        LakeError: there are no baselines yet, or no version is live.
    """
    now = datetime.now(UTC)
    learned = lake.existing(BASELINES)
    live, live_rows = thresholds.live(lake)
    rows = candidates.rows(
        learned.to_pyarrow_table(),
        rules,
        live_rows,
        last_day(lake, now),
        min_readings=settings.baseline_min_readings,
        now_micros=_micros(now),
        said=acknowledged.judged(lake, verdicts, now - timedelta(days=settings.baseline_days)),
    )
    note = {
        "live_version": live.version,
        "baselines_version": learned.version(),
        "features_version": note_of(learned).get("features_version"),
    }
    version = _replace(lake, THRESHOLD_CANDIDATES, rows, note)
    sources = {row["values"]: row["counts"] for row in pc.value_counts(rows["source"]).to_pylist()}
    return {
        "dagster/row_count": rows.num_rows,
        **{source: sources.get(source, 0) for source in (LEARNED, thresholds.RULE, thresholds.MANUAL)},
        "expected_alarms": int(pc.sum(rows["expected_alarms"]).as_py() or 0),
        "live_alarms": int(pc.sum(rows["live_alarms"]).as_py() or 0),
        "expected_readings": int(pc.sum(rows["expected_readings"]).as_py() or 0),
        **note,
        "table_version": version,
    }


def publish(lake: Lake, *, by: str, why: str, run: str) -> dict[str, Any]:
    """Make the candidates the live version; what the asset's page shows.

    Raises:
        ThresholdsError: another version went live since the candidates were compared with the live one.
    """
    table = lake.existing(THRESHOLD_CANDIDATES)
    made_from = note_of(table)
    rows = candidates.as_thresholds(table.to_pyarrow_table())
    data = {
        "candidates_version": table.version(),
        "baselines_version": made_from["baselines_version"],
        "features_version": made_from["features_version"],
        "run": run,
    }
    number = thresholds.publish(lake, rows, Reason("refresh", by, why, data), replacing=int(made_from["live_version"]))
    return {
        "dagster/row_count": rows.num_rows,
        "version": number,
        "replaces": made_from["live_version"],
        "published_by": by,
        "why": why,
        "learned": int(pc.sum(pc.equal(rows["source"], LEARNED)).as_py() or 0),
        **data,
    }


def verdicts(lake: Lake, settings: Settings) -> dict[str, Verdict]:
    """What the comparison of the candidates with the live version says, by the name of the check."""
    rows = lake.existing(THRESHOLD_CANDIDATES).to_pyarrow_table()
    _, live = thresholds.live(lake)
    given, series = last_day(lake, datetime.now(UTC))
    seen = np.flatnonzero(given.groups.total(given.count) > 0)
    active = [(series.device_id[place].as_py(), series.metric[place].as_py()) for place in seen]
    return {
        "coverage": comparison.coverage(rows, comparison.judged(live, active)),
        "sound": comparison.sound(rows),
        "change": comparison.change(rows),
        "silenced": comparison.silenced(rows),
        "alarm_rate": comparison.alarm_rate(rows, settings.alarm_rate_limit),
    }


def last_day(lake: Lake, now: datetime) -> tuple[Windows, Series]:
    return windows.read(lake.existing(FEATURES), now - timedelta(days=1), now, now - _SHORT)


def note_of(table: DeltaTable) -> Mapping[str, Any]:
    """What the last commit that replaced the rows says of them."""
    for commit in table.history():
        if note := commit.get("userMetadata"):
            found: Mapping[str, Any] = json.loads(note)
            return found
    return {}


def _replace(lake: Lake, table: Table, rows: pa.Table, note: Mapping[str, Any]) -> int:
    """Replace all rows in one commit; the table's version after it."""
    made = creation.ensure(lake, table)
    properties = CommitProperties(custom_metadata={"userMetadata": json.dumps(note)})
    write_deltalake(made, rows, mode="overwrite", commit_properties=properties)
    return lake.open(table).version()


def _micros(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
