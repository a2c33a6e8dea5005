"""The closing summary: what was counted, where, and the same as one JSON object."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lakehouse.thresholds import Version
from sensorlake.demo import models
from sensorlake.demo.figures import percentiles, shown
from sensorlake.demo.lake_watch import Batches
from sensorlake.demo.measure import Counts
from sensorlake.demo.models import State

MARK = "DEMO "


@dataclass(frozen=True)
class Result:
    """All of one run, and of it alone. `seconds`: how long readings were sent; `behind`: what had not caught up."""

    seconds: float
    readings_in: int
    messages_in: int
    unacknowledged: int
    batches: Batches
    counts: Counts
    anomalies: int
    latencies_ms: Sequence[float]
    freshness_s: np.ndarray
    first_alert_s: float | None
    peak_rss_mb: float
    left_out: Sequence[str]
    behind: Sequence[str]
    threshold_versions: Mapping[int, int] = field(default_factory=dict)
    live_version: Version | None = None
    first_refresh_s: float | None = None
    detector_alarms: int = 0
    models: State | None = None


def document(result: Result) -> dict[str, Any]:
    """The JSON object of the last line."""
    counts, batches = result.counts, result.batches
    metrics, alerts = (counts.influx_readings, counts.influx_features), counts.influx_anomalies
    points = None if alerts is None else alerts + sum(count or 0 for count in metrics)
    return {
        "seconds": round(result.seconds, 1),
        "readings_in": result.readings_in,
        "valid": batches.valid,
        "dead_letters": batches.dead_letters,
        "duplicates": batches.duplicates,
        "messages_in": result.messages_in,
        "unacknowledged": result.unacknowledged,
        "anomalies": result.anomalies,
        "detector_alarms": result.detector_alarms,
        "delta_readings": counts.delta_readings,
        "delta_dead_letters": counts.delta_dead_letters,
        "delta_features": counts.delta_features,
        "delta_anomalies": counts.delta_anomalies,
        "delta_commits": batches.commits,
        "postgres_anomalies": counts.postgres_anomalies,
        "influx_points": points,
        "influx_readings": counts.influx_readings,
        "influx_features": counts.influx_features,
        "influx_anomalies": counts.influx_anomalies,
        "alert_latency_ms": percentiles(result.latencies_ms, 50, 95, 99) | {"alerts": len(result.latencies_ms)},
        "lake_freshness_s": percentiles(result.freshness_s, 50, 95),
        "first_alert_s": None if result.first_alert_s is None else round(result.first_alert_s, 1),
        "peak_rss_mb": result.peak_rss_mb,
        "left_out": list(result.left_out),
        "behind": list(result.behind),
        "threshold_version": result.live_version.version if result.live_version else None,
        "learned_limits": result.live_version.learned if result.live_version else None,
        "first_refresh_s": None if result.first_refresh_s is None else round(result.first_refresh_s, 1),
        "models": models.document(result.models),
        "anomalies_by_version": {str(version): count for version, count in result.threshold_versions.items()},
    }


def lines(result: Result) -> list[str]:
    """For people, then the JSON for programs."""
    found = document(result)
    rows = [
        ("readings sent", found["readings_in"], "confirmed by Kafka; a broken message is one"),
        ("  valid", found["valid"], "noted in the commits of the lake"),
        ("  dead letters", found["dead_letters"], "noted in the commits of the lake"),
        ("  duplicates", found["duplicates"], "noted in the commits of the lake"),
        ("anomalies", found["anomalies"], "different ids in Kafka"),
        ("  of the detectors", found["detector_alarms"], "the rest are alerts"),
        ("  in PostgreSQL", found["postgres_anomalies"], "rows of stream.anomalies"),
        ("  in Delta", found["delta_anomalies"], "rows of anomalies"),
        ("  in InfluxDB", found["influx_anomalies"], "points of sensor_anomalies"),
        ("Delta readings", found["delta_readings"], f"rows, in {found['delta_commits']} commits"),
        ("Delta dead letters", found["delta_dead_letters"], "rows"),
        ("Delta features", found["delta_features"], "rows, of windows that have closed"),
        ("InfluxDB points", found["influx_points"], "readings, features and anomalies"),
    ]
    text = [f"readings were sent for {found['seconds']} s; all counts are of this run", ""]
    text += [f"{name:19} {shown(value):>10}  {where}" for name, value, where in rows]
    latency, fresh = found["alert_latency_ms"], found["lake_freshness_s"]
    text += [
        "",
        f"alert after reading  {_listed(latency, 'p50', 'p95', 'p99')} ms, {latency['alerts']} alerts, without those",
        "                     of readings sent before the first alert had come out",
        f"readable in lake     {_listed(fresh, 'p50', 'p95')} s after arrival in Kafka",
        f"first alert          {shown(found['first_alert_s'], 's')} after the start of the demo",
        *_loop(result),
        *_models(result),
        f"memory               {shown(found['peak_rss_mb'], 'MB')} at most, all processes together",
        *balance(found),
        "",
        MARK + json.dumps(found),
    ]
    return text


def _loop(result: Result) -> list[str]:
    """What became of the thresholds."""
    live = result.live_version
    if live is None or "dagster" in result.left_out:
        return []
    judged = ", ".join(f"{count} by version {version}" for version, count in result.threshold_versions.items())
    told = [f"anomalies judged     {judged or 'none'}"]
    if result.first_refresh_s is None:
        return [*told, "thresholds           nothing was learned yet: the first refresh takes about three minutes"]
    refreshed = f"first refresh {result.first_refresh_s:.0f} s after the start of the demo"
    return [*told, f"thresholds           version {live.version} is live, {live.learned} limits learned; {refreshed}"]


def _models(result: Result) -> list[str]:
    """What became of the models."""
    if result.models is None:
        return []
    first, *rest = models.summed_up(result.models, time.time())
    return [f"models               {first}", *(f"                     {text}" for text in rest)]


def balance(found: dict[str, Any]) -> list[str]:
    """Does every reading have its place? Said either way."""
    whole = found["valid"] + found["dead_letters"] + found["duplicates"]
    text = []
    if found["unacknowledged"]:
        text.append(f"{found['unacknowledged']} messages were not confirmed by Kafka")
    if found["behind"]:
        text.append(f"still behind when the counts were taken: {', '.join(found['behind'])}")
    if whole == found["readings_in"]:
        text.append(f"valid + dead letters + duplicates = {whole:,} = readings sent: nothing is missing")
    else:
        text.append(f"valid + dead letters + duplicates = {whole:,}, readings sent: {found['readings_in']:,}")
    return text


def _listed(found: dict[str, float | None], *names: str) -> str:
    return ", ".join(f"{name} {shown(found[name])}" for name in names)
