"""The Delta tables: what is in each, how it is partitioned, and the one process that may write it.

A Delta table on S3-compatible storage has one writer. Two Spark drivers that appended to one table lost commits
without a word (docs/decisions/one-writer-per-table.md); `owner` says who it is.
"""

from dataclasses import dataclass
from enum import StrEnum


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
    partition: str | tuple[str, ...] | None = None
    statistics: tuple[str, ...] = ()
    """The columns that readers filter by: their least and greatest values stand in the log, a file at a time."""
    history_days: int | None = None
    """How long earlier versions stay readable, where that is longer than Delta's own week of files and month of log."""

    @property
    def properties(self) -> dict[str, str]:
        # Deletion vectors stay off for readers that do not know them.
        fixed = {"delta.enableDeletionVectors": "false"}
        if self.history_days:
            kept = f"interval {self.history_days} days"
            fixed |= {"delta.logRetentionDuration": kept, "delta.deletedFileRetentionDuration": kept}
        if not self.statistics:
            return fixed
        skipping = {"delta.dataSkippingStatsColumns": ",".join(self.statistics), "delta.checkpointInterval": "50"}
        return fixed | skipping

    def path(self, bucket: str) -> str:
        """Where the table lies in a bucket, or in a folder if that is what `bucket` is (no bucket's name has a
        slash)."""
        root = bucket if "/" in bucket else f"s3a://{bucket}"
        return f"{root}/{self.name}"


READINGS = Table(
    "readings",
    "reading",
    Owner.STREAM,
    "Every valid reading, the first of its id within the lateness allowed.",
    "event_date",
    ("device_id", "metric", "event_time", "received_at", "source_partition", "source_offset"),
)
DEAD_LETTERS = Table(
    "dead_letters",
    "dead_letter",
    Owner.STREAM,
    "Every message that is no reading, and why.",
    "event_date",
    ("dq_reason", "source_partition", "source_offset", "received_at"),
)
FEATURES = Table(
    "features",
    "feature",
    Owner.STREAM,
    "Statistics of closed windows of each device and metric.",
    "event_date",
    ("window_kind", "window_start", "window_end", "device_id", "metric"),
)
ANOMALIES = Table(
    "anomalies",
    "anomaly",
    Owner.STREAM,
    "Every anomaly, once by id.",
    "event_date",
    ("device_id", "metric", "event_time", "detector"),
)
ENRICHED_READINGS = Table(
    "enriched_readings",
    "enriched_reading",
    Owner.DAGSTER,
    "Every reading once by id, with what the registry knows of its device.",
    "event_date",
    ("device_id", "metric", "event_time"),
)
TRENDS = Table(
    "trends",
    "trend",
    Owner.DAGSTER,
    "Figures of each device and metric by hour, day, week and month.",
    ("period", "event_date"),
    ("period_start", "device_id", "metric"),
)
BASELINES = Table("baselines", "baseline", Owner.DAGSTER, "What is usual for each device and metric.")
THRESHOLD_CANDIDATES = Table(
    "threshold_candidates", "threshold_candidate", Owner.DAGSTER, "The limits that the next version may bring."
)
THRESHOLDS = Table(
    "thresholds", "threshold", Owner.DAGSTER, "The live limits, one version at a time.", history_days=365
)
QUALITY = Table("quality", "quality_result", Owner.DAGSTER, "What the checks of each day found.", "day")
TRAINING_SETS = Table(
    "training_sets",
    "training_reading",
    Owner.DAGSTER,
    "Labelled readings that models are trained and judged on.",
    "version",
)
MODEL_REGISTRY = Table(
    "model_registry", "model_version", Owner.DAGSTER, "Which version of each model is in force.", history_days=365
)
MODEL_SCORES = Table("model_scores", "model_score", Owner.DAGSTER, "How good each version was when it was judged.")

TABLES = (
    *(READINGS, DEAD_LETTERS, FEATURES, ANOMALIES),
    *(ENRICHED_READINGS, TRENDS, BASELINES, THRESHOLD_CANDIDATES, THRESHOLDS, QUALITY),
    *(TRAINING_SETS, MODEL_REGISTRY, MODEL_SCORES),
)
