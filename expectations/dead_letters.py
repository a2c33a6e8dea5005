"""Dead letters of one day, by arrival."""

from expectations import figures, standard
from expectations.expectation import Expectation, Severity, Suite
from expectations.judgement import between

MOST = 0.05
REPLAYS = 3
"""As often is a message tried again; then it stays where it is."""

_REASONS = (
    "^(malformed|missing_field:.+|wrong_type:.+|non_finite_value|bad_timestamp|future_timestamp|too_old|oversize)$"
)

SUITE = Suite(
    "dead_letters",
    ("source_topic", "source_partition", "source_offset", "dq_reason", "received_at"),
    (
        standard.schema(),
        standard.present("dead_letter"),
        standard.in_its_day("received_at"),
        # A message may hold several readings, of which more than one may be refused: the reason is part of the key.
        standard.unique("source_topic", "source_partition", "source_offset", "dq_reason", severity=Severity.WARNING),
        standard.pattern("known_reasons", "dq_reason", _REASONS),
        standard.bounds("replay_count", 0, REPLAYS, severity=Severity.WARNING),
        Expectation(
            "ratio",
            f"At most {MOST:.0%} of what came in on the day are dead letters.",
            between("ratio", high=MOST),
            Severity.WARNING,
            figures=figures.dead_letter_ratio,
            observed="ratio",
        ),
    ),
)
