"""Columns worked out of a piece of a table: what is missing in a row, and what its metric may be."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from contracts import avro
from expectations import possible

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

    Derive = Callable[[pa.Table], Mapping[str, pa.Array]]


def required(record: str) -> tuple[str, ...]:
    """The columns that the record does not allow to be null."""
    return tuple(field["name"] for field in avro.load(record)["fields"] if not isinstance(field["type"], list))


def doubles(record: str) -> tuple[str, ...]:
    """The columns that hold a floating-point number, or null."""
    return tuple(field["name"] for field in avro.load(record)["fields"] if "double" in _kinds(field["type"]))


def _kinds(kind: object) -> list[object]:
    return kind if isinstance(kind, list) else [kind]


def missing(names: tuple[str, ...]) -> "Derive":
    """Column `missing`: which of `names` are null in the row; null where none is."""

    def derive(piece: "pa.Table") -> "Mapping[str, pa.Array]":
        import pyarrow.compute as pc  # type: ignore[import-untyped]  # noqa: PLC0415  definitions load without Arrow

        return {"missing": _named(piece, [name for name in names if piece[name].null_count], pc.is_null)}

    return derive


def not_finite(names: tuple[str, ...]) -> "Derive":
    """Column `not_finite`: which of `names` are NaN or infinite in the row; null where none is."""

    def derive(piece: "pa.Table") -> "Mapping[str, pa.Array]":
        import pyarrow.compute as pc  # noqa: PLC0415

        def strange(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
            return pc.fill_null(pc.invert(pc.is_finite(column)), False)

        return {"not_finite": _named(piece, [name for name in names if pc.any(strange(piece[name])).as_py()], strange)}

    return derive


def _named(piece: "pa.Table", names: list[str], holds: "Callable[[pa.ChunkedArray], pa.ChunkedArray]") -> "pa.Array":
    """The names of those columns for which something holds, joined row by row; null where it holds for none."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    if not names:
        return pa.nulls(piece.num_rows, pa.string())
    # Joined without nulls: Arrow loses rows where the only part of one is null.
    parts = [pc.if_else(holds(piece[name]), f"{name}, ", "") for name in names]
    joined = pc.binary_join_element_wise(*parts, "")
    return pc.if_else(pc.equal(joined, ""), pa.scalar(None, pa.string()), pc.utf8_rtrim(joined, ", "))


def of_metric(piece: "pa.Table") -> "Mapping[str, pa.Array]":
    """Columns `unit_of_rule`, `least` and `most` by metric; null where nothing is known of the metric."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    known = possible.by_metric()
    metrics = pc.index_in(piece["metric"], pa.array(list(known), pa.string()))
    return {
        "unit_of_rule": pc.take(pa.array([each.unit for each in known.values()], pa.string()), metrics),
        "least": pc.take(pa.array([each.least for each in known.values()], pa.float64()), metrics),
        "most": pc.take(pa.array([each.most for each in known.values()], pa.float64()), metrics),
    }


def day_of(column: str) -> "Derive":
    """Column `day`: the UTC day of a time, as a number of days, and `partition_day`: that of the partition."""

    def derive(piece: "pa.Table") -> "Mapping[str, pa.Array]":
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.compute as pc  # noqa: PLC0415

        micros = piece[column].cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        # Division of Arrow's whole numbers cuts towards zero; times before 1970 are none that a device measured.
        return {
            "day": pc.divide(micros, 86_400_000_000),
            "partition_day": piece["event_date"].cast(pa.date32()).cast(pa.int32()).cast(pa.int64()),
        }

    return derive
