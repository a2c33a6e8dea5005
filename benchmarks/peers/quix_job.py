"""The stateless job in Quix Streams. Run in a virtual environment of its own by `benchmarks.peers.engines`.

    python quix_job.py job.json      {"servers": ..., "topics": {...}, "limits": "limits.json"}

What was done for its speed: messages stay bytes until orjson reads them; one function judges, so that a message passes
through one step; it asks the broker as the alerts lane does; offsets are committed every second.
"""

import hashlib
import math
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
from quixstreams import Application  # type: ignore[import-not-found]

_SECOND = 1_000_000
_SEPARATOR = "\x1f"


def judge(payload: bytes, limits: dict[tuple[str, str], tuple[float, float]]) -> tuple[bool, bytes] | None:
    """(is it an anomaly, the message to send), or nothing where the reading is within its limits."""
    try:
        said = orjson.loads(payload)
        sensor, metric, value = said["sensor_id"], said["metric"], said["value"]
        at = datetime.fromisoformat(said["timestamp"])
        micros = round(at.timestamp() * _SECOND)
    except (ValueError, KeyError, TypeError):
        return False, payload
    now = time.time_ns() // 1000
    named = isinstance(sensor, str) and isinstance(metric, str) and at.tzinfo is not None
    if not named or not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return False, payload
    if not now - 7 * 86_400 * _SECOND <= micros <= now + 300 * _SECOND:
        return False, payload
    lower, upper = limits.get((sensor, metric), (-math.inf, math.inf))
    if lower <= value <= upper:
        return None
    parts = (sensor, metric, str(micros), "hard_limit")
    return True, orjson.dumps(
        {
            "anomaly_id": hashlib.sha256(_SEPARATOR.join(parts).encode()).hexdigest()[:32],
            "device_id": sensor,
            "sensor_id": sensor,
            "metric": metric,
            "event_time": said["timestamp"],
            "value": value,
            "threshold": upper if value > upper else lower,
            "detector": "hard_limit",
            "severity": "critical",
            "is_anomaly": True,
            "detected_at": datetime.now(UTC).isoformat(),
        }
    )


def main() -> None:
    job = orjson.loads(Path(sys.argv[1]).read_bytes())
    rows = (orjson.loads(line) for line in Path(job["limits"]).read_bytes().splitlines())
    limits = {(row["device_id"], row["metric"]): (row["lower"], row["upper"]) for row in rows}
    application = Application(
        broker_address=job["servers"],
        consumer_group="quix",
        auto_offset_reset="earliest",
        commit_interval=1.0,
        consumer_extra_config={"fetch.wait.max.ms": 5, "fetch.min.bytes": 65536},
        producer_extra_config={"linger.ms": 5},
    )
    topics = {
        name: application.topic(topic, value_deserializer="bytes", value_serializer="bytes", key_serializer="bytes")
        for name, topic in job["topics"].items()
    }
    judged = application.dataframe(topics["raw"]).apply(lambda payload: judge(payload, limits))
    judged = judged.filter(lambda found: found is not None)
    judged.filter(lambda found: found[0]).apply(lambda found: found[1]).to_topic(topics["anomaly"])
    judged.filter(lambda found: not found[0]).apply(lambda found: found[1]).to_topic(topics["dead_letter"])
    application.run()


if __name__ == "__main__":
    main()
