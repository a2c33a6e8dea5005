"""Enriched readings of one day: what trends, baselines and reports are made of."""

from expectations import figures, standard
from expectations.expectation import Expectation, Severity, Suite
from expectations.judgement import between, one_of

SUITE = Suite(
    "enriched_readings",
    ("reading_id", "device_id", "metric", "event_time", "value"),
    (
        standard.schema(),
        standard.present("enriched_reading"),
        standard.finite("enriched_reading"),
        standard.in_its_day("event_time"),
        standard.unique("reading_id"),
        *standard.possible_values(),
        standard.bounds("anomalies", 0),
        standard.bounds("interval_seconds", 0, above=True),
        # The stream refuses what is more than 5 minutes ahead or a week old.
        standard.bounds("delay_seconds", -300, 7 * 86_400, severity=Severity.WARNING),
        Expectation(
            "of_registered_devices",
            "The registry knows the device, so that model and location are known.",
            one_of("registered", [True]),
            Severity.WARNING,
            needs=("registered",),
        ),
        Expectation(
            "of_all_readings",
            "At most as many rows as the day has readings, and 99 % of them: the rest were repeated, or came since.",
            between("ratio", 0.99, 1),
            Severity.WARNING,
            figures=figures.of_all("readings"),
            observed="ratio",
        ),
        standard.usual_volume(),
    ),
)
