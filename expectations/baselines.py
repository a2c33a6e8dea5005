"""The baselines, all of them."""

from typing import TYPE_CHECKING

from expectations import standard
from expectations.expectation import Expectation, Severity, Suite
from expectations.judgement import between

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

FRESH_MINUTES = 3 * 1440


def _lengths(piece: "pa.Table") -> "dict[str, pa.Array]":
    import pyarrow.compute as pc  # type: ignore[import-untyped]  # noqa: PLC0415  definitions load without Arrow

    return {f"{name}_held": pc.list_value_length(piece[name]) for name in ("deciles", "hours")}


def _holds(column: str, values: int) -> Expectation:
    return Expectation(
        f"{column}_complete",
        f"{column} holds {values} values.",
        between(f"{column}_held", values, values),
        blocking=True,
        needs=("deciles", "hours"),
        derive=_lengths,
    )


SUITE = Suite(
    "baselines",
    ("device_id", "metric", "until"),
    (
        standard.schema(),
        standard.present("baseline"),
        standard.finite("baseline"),
        standard.unique("device_id", "metric"),
        _holds("deciles", 9),
        _holds("hours", 24),
        standard.ordered("since", "until", less=True, blocking=True),
        standard.ordered("min", "max", blocking=True),
        standard.ordered("low", "high", blocking=True),
        # 0 is what a sensor that never changes has; what to make of it is for the candidates to say.
        *(standard.bounds(name, 0, blocking=True) for name in ("spread", "stddev", "within", "between")),
        standard.bounds("windows", 1),
        standard.bounds("readings", 1),
        standard.bounds("flat", 0, 1),
        standard.bounds("interval_seconds", 0),
        standard.fresh("computed_at", FRESH_MINUTES, Severity.WARNING),
    ),
)
