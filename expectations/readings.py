"""Readings of one day, by event time."""

from expectations import figures, series, standard
from expectations.expectation import Expectation, Severity, Suite
from expectations.judgement import between

FRESH_MINUTES = 15

SUITE = Suite(
    "readings",
    ("reading_id", "device_id", "metric", "event_time", "value"),
    (
        standard.schema(),
        standard.present("reading"),
        standard.finite("reading"),
        standard.in_its_day("event_time"),
        # Readings repeated after the stream forgot their id stand here twice; enriched_readings has them once.
        standard.unique("reading_id", severity=Severity.WARNING),
        *standard.possible_values(),
        standard.fresh("received_at", FRESH_MINUTES),
        standard.usual_volume(),
        standard.registered(),
        Expectation(
            "no_gaps",
            "No sensor paused for more than three of its usual intervals and a minute; offenders are pauses.",
            between("gaps", high=0),
            Severity.WARNING,
            needs=("device_id", "metric", "event_time"),
            figures=series.pauses,
            weight="gaps",
        ),
        Expectation(
            "batches_add_up",
            "In the day's commits the stream's counts are Delta's: rows added = valid, and valid + dead letters + "
            "duplicates >= messages, as a message is one of them at least.",
            between("difference", high=0),
            figures=figures.batches,
            weight="difference",
            observed="difference",
        ),
        Expectation(
            "offsets_accounted_for",
            "Every offset that the broker gave out on the day is that of a stored reading or dead letter, or one of "
            "the counted duplicates.",
            between("unaccounted", high=0),
            figures=figures.offsets,
            weight="unaccounted",
            observed="unaccounted",
        ),
    ),
)
