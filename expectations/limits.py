"""What candidates and live thresholds have in common: a limit that judges, and does not contradict itself."""

from typing import TYPE_CHECKING

from expectations import standard
from expectations.expectation import Expectation
from expectations.judgement import between

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

SOURCES = ("rule", "learned", "manual")
_LIMITS = ("lower", "upper", "z_limit")


def _known(piece: "pa.Table") -> "dict[str, pa.Array]":
    """`limits`: how many limits a row has."""
    import pyarrow as pa  # noqa: PLC0415  definitions load without Arrow
    import pyarrow.compute as pc  # type: ignore[import-untyped]  # noqa: PLC0415

    has = {name: pc.cast(pc.is_valid(piece[name]), pa.int64()) for name in _LIMITS}

    return {"limits": pc.add(pc.add(has["lower"], has["upper"]), has["z_limit"])}


def expectations(record: str) -> tuple[Expectation, ...]:
    return (
        standard.schema(),
        standard.present(record),
        standard.finite(record),
        standard.unique("device_id", "metric"),
        standard.ordered("lower", "upper", less=True, blocking=True),
        standard.bounds("stddev", 0, above=True, blocking=True),
        standard.bounds("z_limit", 0, above=True, blocking=True),
        standard.known_values("known_sources", "source", SOURCES, blocking=True),
        Expectation(
            "judges_something",
            "Every row has a lower, an upper or a z_limit: without one it would silence its device.",
            between("limits", 1),
            blocking=True,
            needs=_LIMITS,
            derive=_known,
        ),
    )
