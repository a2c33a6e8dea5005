"""Trends whose period starts on one day."""

from itertools import pairwise

from expectations import standard
from expectations.expectation import Severity, Suite

_QUANTILES = ("min", "p05", "p25", "p50", "p75", "p95", "max")

SUITE = Suite(
    "trends",
    ("period", "period_start", "device_id", "metric"),
    (
        standard.schema(),
        standard.present("trend"),
        standard.finite("trend"),
        standard.known_values("known_periods", "period", ("hour", "day", "week", "month"), blocking=True),
        standard.in_its_day("period_start"),
        standard.unique("period", "period_start", "device_id", "metric"),
        # Quantiles between two values are computed: the last digit may be off.
        *(standard.ordered(low, high, severity=Severity.WARNING) for low, high in pairwise(_QUANTILES)),
        standard.bounds("count", 1),
        standard.bounds("stddev", 0),
        standard.bounds("anomaly_rate", 0, 1),
        standard.bounds("gaps", 0),
        standard.bounds("gap_seconds", 0),
    ),
)
