"""What the lake says about the live thresholds: has anything come that asks for new ones? And the answer, pure."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from detection import limits, stability
from detection.windows import Windows
from lakehouse import thresholds
from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES, BASELINES, FEATURES
from lakehouse.thresholds import Version
from orchestration.learning import baselines, windows
from orchestration.learning.windows import Series
from sensorlake.errors import LakeError
from sensorlake.settings import Settings

# With fewer windows than this of a metric, chance alone moves its index by 0.05.
_LEAST_WINDOWS = 200
# Shorter spans than this hold too few windows of five minutes.
_LONG_SPAN = timedelta(hours=1)
_PAST = timedelta(days=1)
# A device most of whose readings were abnormal for as long as a new level must last has one.
_STEADY = 0.9
_LEAST_READINGS = 30
# The first version waits until it can be learned for so much of what sends.
_MOST = 0.5


@dataclass(frozen=True)
class Standing:
    """At `now`: the live version, and the rollback since which nothing was learned; the features' table version and
    windows. Told by the tables' logs alone."""

    now: datetime
    live: Version
    rollback: Version | None
    features_version: int
    windows: int


@dataclass(frozen=True)
class Situation:
    """What the windows say: the share of the series from which limits could be learned; of the drift minutes the
    largest stability index of a metric, the readings, and those of them that the live version found abnormal; and the
    devices of which it has found nearly all abnormal for as long as a new level must last."""

    learnable: float
    readings: int
    drifting_metric: str | None
    stability_index: float
    alarms: int
    steadily_alarming: tuple[str, ...]

    @property
    def alarm_rate(self) -> float:
        return self.alarms / self.readings if self.readings else 0.0


@dataclass(frozen=True)
class Attempt:
    """The last refresh that was asked for."""

    at: datetime
    features_version: int


def standing(lake: Lake, now: datetime) -> Standing:
    """
    Raises:
        LakeError: a table that is needed is not there yet.
    """
    known = thresholds.versions(lake)
    features = lake.existing(FEATURES)
    return Standing(now, known[0], _rollback(known), features.version(), features.count())


def _rollback(known: Sequence[Version]) -> Version | None:
    """That which people set by hand since then stands beside its limits."""
    since = itertools.takewhile(lambda version: version.kind not in ("first", "refresh"), known)
    return next((version for version in since if version.kind == "rollback"), None)


def assess(lake: Lake, settings: Settings, found: Standing) -> Situation:
    """Look at the windows themselves."""
    live, now = found.live, found.now
    span = timedelta(minutes=settings.drift_minutes)
    start = now - span
    given, series = windows.read(lake.existing(FEATURES), start, now, now if span >= _LONG_SPAN else start)
    metric, index = _largest_drift(lake, given.usable(), series)
    past = given
    if nothing_learned(live):
        # What could be learned is more than the drift minutes: readings of days gone by may have been sent at once.
        past, _ = windows.read(lake.existing(FEATURES), now - _PAST, now, now - _LONG_SPAN)
    return Situation(
        _learnable(past.usable(), settings.baseline_min_readings),
        int(given.count.sum()),
        metric,
        index,
        sum(_alarms(lake, live.version, start).values()),
        _steadily_alarming(lake, live, now - timedelta(minutes=settings.shift_minutes), now),
    )


def reason_to_refresh(
    at: Standing, found: Situation, last: Attempt | None, settings: Settings
) -> tuple[str | None, str]:
    """(kind of cause, or None where there is none; what is to be said of it).

    Kinds: first (nothing was learned yet), alarms, drift, new data.
    """
    live = at.live
    if nothing_learned(live) and found.learnable >= _MOST:
        return "first", f"nothing was learned yet; features version {at.features_version}"
    if found.alarm_rate > settings.alarm_rate_limit:
        rate = f"{found.alarm_rate:.2%} of {found.readings} readings"
        return "alarms", f"{rate} are abnormal by version {live.version}, more than {settings.alarm_rate_limit:.2%}"
    if found.steadily_alarming:
        named = ", ".join(found.steadily_alarming[:5])
        return "alarms", f"most readings of {named} are abnormal by version {live.version}"
    if found.stability_index > settings.drift_limit:
        return "drift", f"{found.drifting_metric} drifted: stability index {found.stability_index:.2f} of its windows"
    refreshed = max(live.published_at, last.at) if last else live.published_at
    if at.now - refreshed >= timedelta(minutes=settings.refresh_minutes):
        return "new data", f"{settings.refresh_minutes:g} minutes since the last refresh, and new windows"
    fits = f"version {live.version} fits: {found.alarm_rate:.3%} abnormal, stability index {found.stability_index:.2f}"
    early = f"limits could be learned of {found.learnable:.0%} of what sends; {_MOST:.0%} are waited for"
    return None, early if nothing_learned(live) else fits


def nothing_learned(live: Version) -> bool:
    """The live version is the one that the stream began with."""
    return live.learned == 0 and live.kind == "first"


def reason_to_wait(found: Standing, last: Attempt | None, settings: Settings) -> str | None:
    """Why nothing may be asked for now, whatever the windows say."""
    now = found.now
    if found.windows == 0:
        return "no window has closed yet"
    if back := found.rollback:
        held_until = back.published_at + timedelta(minutes=settings.rollback_hold_minutes)
        if now < held_until:
            held = f"refreshes are held until {held_until:%F %T}"
            return f"{back.by} rolled back to the limits of version {back.data['rows_of']}; {held}"
    if last and found.features_version <= last.features_version:
        return "no new windows since the last refresh"
    if last and now - last.at < timedelta(minutes=settings.retry_minutes):
        return f"a refresh was asked for at {last.at:%T}; the next may be {settings.retry_minutes:g} minutes later"
    return None


def _learnable(usable: Windows, least_readings: int) -> float:
    number, readings = usable.groups.total(np.ones_like(usable.count)), usable.groups.total(usable.count)
    enough = (number >= limits.LEAST_WINDOWS) & (readings >= least_readings)
    return float(enough.mean()) if len(enough) else 0.0


def _largest_drift(lake: Lake, usable: Windows, series: Series) -> tuple[str | None, float]:
    """The metric whose windows moved furthest against the deciles of their own devices, and its index."""
    try:
        known = lake.existing(BASELINES).to_pyarrow_table(columns=["device_id", "metric", "max", "deciles"])
    except LakeError:
        return None, 0.0
    found = pa.table({"device_id": series.device_id, "metric": series.metric, "series": np.arange(series.count)})
    numbered = known.drop(["deciles", "max"]).append_column("row", pa.array(np.arange(known.num_rows)))
    joined = found.join(numbered, ["device_id", "metric"], join_type="inner")
    all_deciles = baselines.figures(known, "deciles")
    deciles = np.full((series.count, stability.BINS - 1), np.nan)
    greatest = np.full(series.count, np.nan)
    numbers, row = joined["series"].to_numpy(), joined["row"].to_numpy()
    deciles[numbers], greatest[numbers] = all_deciles[row], known["max"].to_numpy()[row]
    usable = usable.where(np.isfinite(deciles[usable.series, 0]))
    expected = stability.shares(deciles, greatest)[usable.series]
    fallen = np.eye(stability.BINS)[stability.bins(usable.series, usable.mean, deciles)]
    codes = series.metric.dictionary_encode()
    metric = codes.indices.to_numpy()[usable.series]
    largest: tuple[str | None, float] = (None, 0.0)
    for code, name in enumerate(codes.dictionary.to_pylist()):
        chosen = metric == code
        if chosen.sum() < _LEAST_WINDOWS:
            continue
        index = float(stability.index(fallen[chosen].sum(axis=0), expected[chosen].mean(axis=0)))
        largest = max(largest, (name, index), key=lambda pair: pair[1])
    return largest


def _steadily_alarming(lake: Lake, live: Version, since: datetime, now: datetime) -> tuple[str, ...]:
    """Devices of which nearly every reading since a moment was abnormal by the live version; none if that is younger:
    what an earlier one found may be mended already."""
    if live.published_at > since:
        return ()
    alarms = _alarms(lake, live.version, since)
    if not alarms:
        return ()
    readings = _readings(lake, since, now)
    return tuple(
        sorted(
            {key[0] for key, count in alarms.items() if count > _STEADY * max(readings.get(key, 0.0), _LEAST_READINGS)}
        )
    )


def _readings(lake: Lake, since: datetime, now: datetime) -> dict[tuple[str, str], float]:
    """Readings since a moment, by device and metric, as far as their windows have closed."""
    given, series = windows.read(lake.existing(FEATURES), since, now, since)
    keys = zip(series.device_id.to_pylist(), series.metric.to_pylist(), strict=True)
    return dict(zip(keys, given.groups.total(given.count).tolist(), strict=True))


def _alarms(lake: Lake, version: int, since: datetime) -> dict[tuple[str, str], int]:
    """Anomalies of the live version since a moment, by device and metric."""
    try:
        table = lake.existing(ANOMALIES)
    except LakeError:
        return {}
    chosen = (
        (ds.field("event_date") >= since.date())
        & (ds.field("event_time") >= since)
        & (ds.field("threshold_version") == version)
    )
    rows = table.to_pyarrow_dataset().to_table(columns=["anomaly_id", "device_id", "metric"], filter=chosen)
    counted = rows.group_by(["device_id", "metric"]).aggregate([("anomaly_id", "count_distinct")])
    keys = zip(counted["device_id"].to_pylist(), counted["metric"].to_pylist(), strict=True)
    return dict(zip(keys, counted["anomaly_id_count_distinct"].to_pylist(), strict=True))
