"""Makes the tables that are missing and refuses those whose columns are not what their specification says."""

from delta import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from lakehouse.tables import Table
from sensorlake.errors import LakeError


def ensure(spark: SparkSession, table: Table, bucket: str) -> None:
    """Have `table` in the bucket with exactly its columns.

    Raises:
        LakeError: a table of other columns is there; the message names them.
    """
    path = table.path(bucket)
    wanted = StructType.fromDDL(table.ddl)
    if DeltaTable.isDeltaTable(spark, path):
        _refuse_other_columns(table, wanted, spark.read.format("delta").load(path).schema)
        return
    builder = DeltaTable.createIfNotExists(spark).location(path).comment(table.description).addColumns(wanted)
    if table.partition:
        builder = builder.partitionedBy(table.partition)
    for name, value in table.properties.items():
        builder = builder.property(name, value)
    builder.execute()


def _refuse_other_columns(table: Table, wanted: StructType, found: StructType) -> None:
    ours = {field.name: field.dataType.simpleString() for field in wanted}
    theirs = {field.name: field.dataType.simpleString() for field in found}
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
