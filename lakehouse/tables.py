"""The Delta tables: what is in each, how it is partitioned, and the one process that may write it.

A Delta table on S3-compatible storage has one writer. Two Spark drivers that appended to one table lost commits
without a word (docs/decisions/one-writer-per-table.md); `owner` says who it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from contracts.shapes import spark_ddl


class Owner(StrEnum):
    STREAM = "stream"
    DAGSTER = "dagster"


@dataclass(frozen=True)
class Table:
    """One table: its columns are the Avro record `record`."""

    name: str
    record: str
    owner: Owner
    description: str
    partition: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def ddl(self) -> str:
        """The columns, all nullable: Delta would check NOT NULL row by row, at a third of the cost of a write. The
        expectations hold the tables to their records instead."""
        return spark_ddl(self.record).replace(" NOT NULL", "")

    def path(self, bucket: str) -> str:
        """Where the table lies in a bucket, or in a folder if that is what `bucket` is (no bucket's name has a
        slash)."""
        root = bucket if "/" in bucket else f"s3a://{bucket}"
        return f"{root}/{self.name}"


# A trigger every 10 s leaves thousands of small files a day. Auto-compaction merges them after a commit, in the
# driver that made it, so that no second writer is needed; deletion vectors stay off for readers that do not know
# them.
_APPENDED = {
    "delta.autoOptimize.autoCompact": "true",
    "delta.enableDeletionVectors": "false",
    "delta.checkpointInterval": "50",
    "delta.dataSkippingNumIndexedCols": "6",
}
_SMALL = {"delta.enableDeletionVectors": "false"}

READINGS = Table(
    "readings",
    "reading",
    Owner.STREAM,
    "Every valid reading, the first of its id within the lateness allowed.",
    "event_date",
    _APPENDED,
)
DEAD_LETTERS = Table(
    "dead_letters", "dead_letter", Owner.STREAM, "Every message that is no reading, and why.", "event_date", _APPENDED
)
FEATURES = Table(
    "features",
    "feature",
    Owner.STREAM,
    "Statistics of closed windows of each device and metric.",
    "event_date",
    _APPENDED,
)
ANOMALIES = Table("anomalies", "anomaly", Owner.STREAM, "Every anomaly, once by id.", "event_date", _APPENDED)
THRESHOLDS = Table("thresholds", "threshold", Owner.DAGSTER, "The live limits, one version at a time.", None, _SMALL)

TABLES = (READINGS, DEAD_LETTERS, FEATURES, ANOMALIES, THRESHOLDS)
