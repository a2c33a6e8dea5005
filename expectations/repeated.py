"""Rows that have the same key, found in a day of millions without holding its keys.

A first pass keeps 8 bytes a row, a hash of the key; where hashes repeat, which they should not, a second pass compares
those rows' keys themselves. So the answer is exact, and costs more memory only where much is repeated.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from expectations.expectation import Figures

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]
    from numpy.typing import NDArray

    from expectations.data import Data


def keys(*columns: str) -> "Callable[[Data], Figures]":
    """One row for each key that stands in the table more than once: its columns, `copies`, and `surplus`, which is one
    less."""

    def figures(data: "Data") -> Figures:
        import numpy as np  # noqa: PLC0415  definitions load without numpy and Arrow
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.compute as pc  # noqa: PLC0415

        hashed = [_hashes(piece, columns) for piece in data.read(columns)]
        hashes = np.concatenate(hashed) if hashed else np.empty(0, np.uint64)
        del hashed
        hashes.sort()
        suspects = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
        examined = len(hashes)
        del hashes
        found = []
        if len(suspects):
            for piece in data.read(columns):
                held = piece.select(list(columns)).filter(pa.array(np.isin(_hashes(piece, columns), suspects)))
                if held.num_rows:
                    found.append(held)
        empty = pa.schema([*((name, pa.string()) for name in columns), ("copies", pa.int64()), ("surplus", pa.int64())])
        if not found:
            return Figures(empty.empty_table(), examined)
        rows = pa.concat_tables(found).group_by(list(columns)).aggregate([([], "count_all")])
        rows = rows.filter(pc.greater(rows["count_all"], 1)).rename_columns([*columns, "copies"])
        return Figures(rows.append_column("surplus", pc.subtract(rows["copies"], 1)), examined)

    return figures


def _hashes(piece: "pa.Table", columns: tuple[str, ...]) -> "NDArray[Any]":
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # type: ignore[import-untyped]  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    total = np.zeros(piece.num_rows, dtype=np.uint64)
    for name in columns:
        column = piece[name]
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            # Each word is hashed once: a table has few devices and metrics, and many rows.
            encoded = column.combine_chunks().dictionary_encode()
            words = pd.util.hash_array(np.append(encoded.dictionary.to_numpy(zero_copy_only=False), ""))
            hashed = words[encoded.indices.fill_null(len(words) - 1).to_numpy()]
        else:
            hashed = pd.util.hash_array(column.to_numpy())
        total = total * np.uint64(0x9E3779B97F4A7C15) + hashed
    return total
