"""Anomalies of one day, by event time."""

from expectations import standard
from expectations.expectation import Severity, Suite

SUITE = Suite(
    "anomalies",
    ("anomaly_id", "device_id", "metric", "event_time", "detector"),
    (
        standard.schema(),
        standard.present("anomaly"),
        standard.finite("anomaly"),
        standard.in_its_day("event_time"),
        standard.unique("anomaly_id"),
        standard.pattern("ids_are_hashes", "anomaly_id", "^[0-9a-f]{32}$"),
        standard.known_values("known_severities", "severity", ("warning", "critical")),
        standard.bounds("threshold_version", 1, severity=Severity.WARNING),
        standard.registered(),
        # An hour of trouble brings many times the usual; none at all is no fault either.
        standard.usual_volume(0, 10),
    ),
)
