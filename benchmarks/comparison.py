"""What was expected against what is there, id by id: equal counts can hide one lost for each one doubled."""

from dataclasses import dataclass

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]


@dataclass(frozen=True)
class Comparison:
    """`lost`: expected and not there. `doubled`: there more often than once, each further time counted.

    `unexpected`: there, and no id of this run. `sample` holds a few ids of the lost and unexpected ones.
    """

    expected: int
    found: int
    lost: int
    doubled: int
    unexpected: int
    sample: tuple[str, ...]


def compare(expected: pa.ChunkedArray, found: pa.ChunkedArray) -> Comparison:
    """Compare two columns of ids; those expected are distinct."""
    distinct = pc.unique(found)
    lost = _without(expected, distinct)
    unexpected = _without(distinct, expected)
    offenders = [*lost[:5].to_pylist(), *unexpected[:5].to_pylist()]
    return Comparison(
        expected=len(expected),
        found=len(found),
        lost=len(lost),
        doubled=len(found) - len(distinct),
        unexpected=len(unexpected),
        sample=tuple(offenders),
    )


def _without(ids: pa.ChunkedArray, others: pa.ChunkedArray) -> pa.ChunkedArray:
    return ids.filter(pc.invert(pc.is_in(ids, value_set=others)))
