"""Whether the queries of the stream run, by the report that the stream itself writes every few seconds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# The stream reports every 3 s; a machine out of breath may take longer.
SILENT_SECONDS = 30.0

WRITES: Mapping[str, tuple[str, ...]] = {
    "alerts": ("kafka/iot_sensor_anomaly", "kafka/iot_sensor_dlq"),
    "detect": ("kafka/iot_sensor_anomaly",),
    "lake": ("readings", "dead_letters", "features"),
    "autoencoder": ("kafka/iot_sensor_anomaly",),
    "metrics": ("influxdb/sensor_metrics",),
    "postgres": ("postgres/stream/anomalies",),
    "influxdb": ("influxdb/sensor_anomalies",),
    "anomalies": ("anomalies",),
}
"""The assets that each query writes."""


@dataclass(frozen=True)
class Health:
    """One query as it is now; `state` is running, restarting, refused, stopped or unknown."""

    query: str
    state: str
    reason: str
    details: Mapping[str, Any]

    @property
    def runs(self) -> bool:
        return self.state == "running"

    @property
    def metadata(self) -> dict[str, Any]:
        return {"query": self.query, "state": self.state, "reason": self.reason, **self.details}


def report_of(data_dir: Path) -> Path:
    return data_dir.absolute() / "run" / "queries.json"


def read(path: Path, now: datetime) -> dict[str, Health]:
    """Every query by name; without a report that can be read their state is unknown."""
    try:
        text = path.read_text("utf-8")
    except OSError:
        return _all("unknown", f"the stream has not run yet: there is no {path}")
    try:
        report = json.loads(text)
        silent = (now - datetime.fromisoformat(report["updated_at"]).astimezone(UTC)).total_seconds()
        queries = {str(name): dict(query) for name, query in report["queries"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return _all("unknown", f"the stream's report cannot be read: {path}")
    return {name: _health(name, queries.get(name), silent) for name in WRITES}


def _health(name: str, query: Mapping[str, Any] | None, silent: float) -> Health:
    if query is None:
        return Health(name, "stopped", "the stream was told to run without it (SENSORLAKE_QUERIES)", {})
    shown = {
        field: query[field] for field in ("batch", "input_rate", "lag", "failures") if query.get(field) is not None
    }
    if query.get("last_error"):
        shown["last_error"] = str(query["last_error"])
    if silent > SILENT_SECONDS:
        return Health(name, "stopped", f"the stream has been silent for {silent:.0f} s", shown)
    state = str(query.get("state"))
    why = "it is not started" if state == "refused" else "it failed and starts again"
    reason = "it runs" if state == "running" else f"{why}: {query.get('last_error')}"
    return Health(name, state, reason, shown)


def _all(state: str, reason: str) -> dict[str, Health]:
    return {name: Health(name, state, reason, {}) for name in WRITES}
