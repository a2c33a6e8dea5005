"""The limits that every engine joins with: one row a device and metric, the same for all of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pyarrow as pa  # type: ignore[import-untyped]
from sqlalchemy import text

from benchmarks.peers.engines import LIMITS_TABLE
from contracts import identity
from edge import limits
from edge.metrics import METRICS
from lakehouse import registry, thresholds
from lakehouse.lake import Lake
from lakehouse.registry import database
from sensorlake.settings import Settings

PROBE = "probe"
_DETECTOR = "hard_limit"


def publish(settings: Settings, devices: Sequence[str], file: Path) -> Path:
    """Each device's limits of every metric that the simulator has: in the lake, in PostgreSQL and in a file of JSON
    lines."""
    known = limits.load()
    rows = [
        {
            "device_id": device,
            "metric": metric.name,
            "lower": known[metric.name].lower,
            "upper": known[metric.name].upper,
        }
        for device in devices
        for metric in METRICS
    ]
    file.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    registry.migrate(settings)
    lake = Lake.of(settings)
    thresholds.ensure_first_version(lake, registry.alert_rules(settings))
    made = pa.Table.from_pylist([row | {"source": thresholds.MANUAL} for row in rows])
    reason = thresholds.Reason("manual", "benchmark", "a row for each device, as the peers have")
    thresholds.publish(lake, made, reason, replacing=thresholds.FIRST_VERSION)
    with database.transaction(settings) as connection:
        connection.execute(
            text(
                f"CREATE TABLE {LIMITS_TABLE} (device_id TEXT, metric TEXT, lower_limit DOUBLE PRECISION, "
                "upper_limit DOUBLE PRECISION)"
            )
        )
        connection.execute(
            text(
                f"INSERT INTO {LIMITS_TABLE} SELECT device_id, metric, lower, upper FROM json_to_recordset(:rows) "  # noqa: S608  a constant
                "AS given (device_id TEXT, metric TEXT, lower DOUBLE PRECISION, upper DOUBLE PRECISION)"
            ),
            {"rows": orjson.dumps(rows).decode()},
        )
    return file


def probe(micros: int) -> tuple[bytes, str]:
    """A reading of the probe beyond its limit at that time, and the id of the alert that it raises."""
    metric = METRICS[0].name
    reading = {
        "sensor_id": PROBE,
        "timestamp": _iso(micros),
        "metric": metric,
        "value": limits.load()[metric].upper * 2 + 1,
    }
    return orjson.dumps(reading), identity.anomaly_id(PROBE, metric, micros, _DETECTOR)


def _iso(micros: int) -> str:
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:06d}Z"
