"""What the pages of assets show of tables: columns, where each column comes from, sizes and versions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from contracts import shapes

if TYPE_CHECKING:
    from deltalake import DeltaTable

Sources = Mapping[str, Iterable[str]]
"""Columns by the asset that they are read from."""


def table_schema(record: str) -> dg.TableSchema:
    """The columns of the Avro record `record`, as `dagster/column_schema` shows them.

    >>> table_schema("reading").columns[0].name
    'reading_id'
    """
    return dg.TableSchema(
        [
            dg.TableColumn(
                each.name,
                each.type.lower(),
                description=each.description,
                constraints=dg.TableColumnConstraints(nullable=each.nullable),
            )
            for each in shapes.columns(record)
        ]
    )


def column_lineage(columns: Mapping[str, Sources]) -> dg.TableColumnLineage:
    """Where columns come from: `{column: {asset key as "a/b": [its columns]}}` for `dagster/column_lineage`."""
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(dg.AssetKey.from_user_string(asset), source)
                for asset, names in sources.items()
                for source in names
            ]
            for column, sources in columns.items()
        }
    )


def same_columns(record: str, asset: str, without: Sequence[str] = ()) -> dict[str, Sources]:
    """The part of a lineage where the columns of `record` are taken over from `asset` under their own names."""
    return {each.name: {asset: [each.name]} for each in shapes.columns(record) if each.name not in without}


def delta_metadata(table: "DeltaTable") -> dict[str, Any]:
    """Rows, bytes, files, partitions, version and address of a Delta table, out of its log: no data are read.

    `dagster/row_count` is left out where a file was written without statistics, as it would be wrong.
    """
    import pyarrow as pa  # noqa: PLC0415  takes a second to import

    files = pa.table(table.get_add_actions())
    rows, sizes = files["num_records"], files["size_bytes"]
    partitions = files["partition"].combine_chunks() if "partition" in files.column_names else None
    days = {str(each) for each in partitions.to_pylist()} if partitions is not None else set()
    found: dict[str, Any] = {
        "dagster/uri": table.table_uri.rstrip("/"),
        "table_version": table.version(),
        "files": files.num_rows,
        "size_bytes": sum(sizes.to_pylist()),
    }
    if rows.null_count == 0:
        found["dagster/row_count"] = sum(rows.to_pylist())
    if days:
        found["partitions"] = len(days)
    return found
