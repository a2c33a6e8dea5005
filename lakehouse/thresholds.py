"""The thresholds table: one version at a time, published in one Delta commit."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from lakehouse import creation
from lakehouse.tables import THRESHOLDS
from sensorlake.errors import LakeError

if TYPE_CHECKING:
    from lakehouse.registry import AlertRule

ANY_DEVICE = "*"
FIRST_VERSION = 1


def ensure_first_version(spark: SparkSession, bucket: str, rules: "Sequence[AlertRule]") -> None:
    """Publish version 1 from the physical limits of `rules`, unless a version is live already.

    Raises:
        LakeError: there is no rule, so that no reading could ever be judged.
    """
    creation.ensure(spark, THRESHOLDS, bucket)
    if not live(spark, bucket).isEmpty():
        return
    if not rules:
        raise LakeError(
            "registry.alert_rules is empty, so there is nothing to judge readings by: add a row for each metric"
        )
    now = datetime.now(UTC)
    rows = [
        (
            rule.device_id or ANY_DEVICE,
            rule.metric,
            rule.lower,
            rule.upper,
            None,
            None,
            rule.z_limit,
            rule.unit,
            FIRST_VERSION,
            now,
            "registry.alert_rules",
        )
        for rule in rules
    ]
    version = spark.createDataFrame(rows, StructType.fromDDL(THRESHOLDS.ddl))
    version.coalesce(1).write.format("delta").mode("overwrite").save(THRESHOLDS.path(bucket))


def live(spark: SparkSession, bucket: str) -> DataFrame:
    """The rows of the live version."""
    return spark.read.format("delta").load(THRESHOLDS.path(bucket))
