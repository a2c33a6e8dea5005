"""Clock: do the servers and this machine agree on the time?

Kafka tells its time only in the messages that it takes; PostgreSQL, the object storage and InfluxDB are asked.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from sensorlake.settings import Settings
from stack import http_probe
from stack.doctor import database
from stack.doctor.finding import Finding

AREA = "clock"
# HTTP tells whole seconds.
TOLERANCE_SECONDS = 5.0


def findings(settings: Settings) -> list[Finding]:
    return judged(skews(settings))


def skews(settings: Settings) -> dict[str, float]:
    """How many seconds each server that answers is ahead of this machine."""
    ask: Mapping[str, Callable[[], float | None]] = {
        "PostgreSQL": lambda: database.seconds(settings),
        "the object storage": lambda: _told_by(f"{settings.s3_endpoint}/minio/health/live", settings),
        "InfluxDB": lambda: _told_by(f"{settings.influxdb_url}/health", settings),
    }
    found = {}
    for name, question in ask.items():
        before = time.time()
        told = question()
        if told is not None:
            found[name] = told - (before + time.time()) / 2
    return found


def judged(ahead: Mapping[str, float]) -> list[Finding]:
    return [
        Finding(
            AREA,
            f"the clock of {name} is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this machine's",
            "readings would count as late or as of the future, and signed requests to the storage are refused",
            "let both machines keep time by NTP (chrony, systemd-timesyncd)",
        )
        for name, seconds in ahead.items()
        if abs(seconds) > TOLERANCE_SECONDS
    ]


def _told_by(url: str, settings: Settings) -> float | None:
    told = http_probe.headers(url, authority=settings.tls_ca_file).get("Date", "")
    with contextlib.suppress(TypeError, ValueError):
        return parsedate_to_datetime(told).timestamp() + 0.5
    return None
