"""The live version of the thresholds."""

from expectations import figures, limits, standard
from expectations.expectation import Expectation, Suite
from expectations.judgement import between

SUITE = Suite(
    "thresholds",
    ("device_id", "metric", "version"),
    (
        *limits.expectations("threshold"),
        standard.bounds("version", 1),
        Expectation(
            "one_version",
            "All rows are of one version.",
            between("values", high=1),
            blocking=True,
            needs=("version",),
            figures=figures.distinct("version"),
            observed="values",
        ),
    ),
)
