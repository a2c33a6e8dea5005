"""What Java is given of Python's values."""

from collections.abc import Sequence
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.types import StructType


def data_type(spark: SparkSession, ddl: str) -> Any:
    """The shape of a row."""
    return spark._jsparkSession.parseDataType(StructType.fromDDL(ddl).json())


def array(spark: SparkSession, kind: Any, values: Sequence[Any]) -> Any:
    """kind: Java's class of the values, such as `spark._jvm.int`."""
    made = spark.sparkContext._gateway.new_array(kind, len(values))
    for place, value in enumerate(values):
        made[place] = value
    return made
