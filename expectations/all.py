"""Every suite, by the name of its table."""

from expectations import (
    anomalies,
    baselines,
    dead_letters,
    enriched_readings,
    features,
    readings,
    threshold_candidates,
    thresholds,
    training_sets,
    trends,
)
from expectations.expectation import Suite

DAILY: dict[str, Suite] = {
    module.SUITE.table: module.SUITE
    for module in (readings, dead_letters, features, anomalies, enriched_readings, trends)
}
"""Judged day by day."""

WHOLE: dict[str, Suite] = {module.SUITE.table: module.SUITE for module in (baselines, threshold_candidates, thresholds)}
"""Small tables, judged whole as they are now."""

VERSIONS: dict[str, Suite] = {training_sets.SUITE.table: training_sets.SUITE}
"""Judged by their newest version."""
