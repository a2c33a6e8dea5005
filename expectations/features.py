"""Windows of one day. Those that slide are six times as many and made of the same panes: they are left out."""

from expectations import standard
from expectations.expectation import Severity, Suite

FRESH_MINUTES = 20

SUITE = Suite(
    "features",
    ("window_kind", "window_start", "device_id", "metric"),
    (
        standard.schema(),
        standard.present("feature"),
        # The figures of values near the largest of a double overflow, which only that window shows.
        standard.finite("feature", severity=Severity.WARNING, blocking=False),
        standard.known_values("known_window_kinds", "window_kind", ("sliding_60s", "tumbling_1m", "tumbling_5m")),
        standard.in_its_day("window_start"),
        standard.unique("window_kind", "window_start", "device_id", "metric"),
        standard.ordered("window_start", "window_end", less=True),
        standard.ordered("min", "max"),
        standard.bounds("count", 1),
        standard.bounds("stddev", 0),
        standard.bounds("range", 0),
        standard.fresh("window_end", FRESH_MINUTES),
        standard.usual_volume(),
    ),
)
