"""The candidates, all of them, each by itself. What they would change is compared elsewhere."""

from expectations import limits, standard
from expectations.expectation import Suite

SUITE = Suite(
    "threshold_candidates",
    ("device_id", "metric", "source"),
    (
        *limits.expectations("threshold_candidate"),
        standard.bounds("live_stddev", 0),
        standard.bounds("change", 0),
        standard.bounds("expected_alarms", 0),
        standard.ordered("expected_alarms", "expected_readings", blocking=True),
    ),
)
