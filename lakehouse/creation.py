"""Makes the tables that are missing and refuses those whose columns are not what their specification says."""

import json

from deltalake import DeltaTable, Schema

from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.tables import Table
from sensorlake.errors import LakeError


def ensure(lake: Lake, table: Table) -> DeltaTable:
    """Have `table` in the lake with exactly its columns; only its owner may call this, as it may write.

    A table of an older version gets the columns that it lacks.

    Raises:
        LakeError: a table with columns that this version does not know is there; the message names them.
    """
    uri, options, wanted = lake.uri(table), dict(lake.options), Schema.from_arrow(arrow_schema(table.record))
    if DeltaTable.is_deltatable(uri, options):
        found = lake.open(table)
        ours, theirs = _types(wanted), _types(found.schema())
        newer = [field for field in wanted.fields if field.name not in theirs]
        known = all(ours.get(name) == kind for name, kind in theirs.items())
        if newer and known and not _partitions(table) & {field.name for field in newer}:
            # Every column may be null, so rows of an older version of sensorlake stay as they are.
            found.alter.add_columns(newer)
        else:
            _refuse_other_columns(table, ours, theirs)
        return found
    return DeltaTable.create(
        uri,
        wanted,
        mode="ignore",
        partition_by=list(table.partition) if isinstance(table.partition, tuple) else table.partition,
        description=table.description,
        configuration=table.properties,
        storage_options=options,
    )


def _partitions(table: Table) -> set[str]:
    return (
        set()
        if table.partition is None
        else {table.partition}
        if isinstance(table.partition, str)
        else {*table.partition}
    )


def _types(schema: Schema) -> dict[str, str]:
    """Column name -> type, as Delta writes it."""
    fields = json.loads(schema.to_json())["fields"]
    return {field["name"]: _type(field["type"]) for field in fields}


def _type(kind: object) -> str:
    if not isinstance(kind, dict):
        return str(kind)
    if kind["type"] == "map":
        return f"map<{_type(kind['keyType'])}, {_type(kind['valueType'])}>"
    return f"array<{_type(kind['elementType'])}>" if kind["type"] == "array" else str(kind["type"])


def _refuse_other_columns(table: Table, ours: dict[str, str], theirs: dict[str, str]) -> None:
    if ours == theirs:
        return
    differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    described = ", ".join(
        f"{name}: {theirs.get(name, 'absent')} instead of {ours.get(name, 'absent')}" for name in differing
    )
    raise LakeError(
        f"table {table.name} has other columns than this version of sensorlake writes ({described}). "
        f"Go back to the version that made it, or move the table away: its data stay as they are."
    )
