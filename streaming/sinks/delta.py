"""Anomalies to the Delta table `anomalies`.

1. leave out the ids that the table holds already         nothing written
2. append the others, with the batch's number             a crash after it: the batch comes again, and Delta skips it
3. Spark commits the offsets                              by its number; under a new checkpoint step 1 finds its ids
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.tables import ANOMALIES


class DeltaSink:
    """`application` names the checkpoint to Delta, as in lake.py."""

    def __init__(self, bucket: str, application: str) -> None:
        self._path = ANOMALIES.path(bucket)
        self._application = f"{application}-{ANOMALIES.name}"

    def write(self, anomalies: DataFrame, batch_id: int) -> None:
        batch = anomalies.dropDuplicates(["anomaly_id"]).coalesce(1).persist()
        try:
            days = [row.event_date for row in batch.select("event_date").distinct().collect()]
            if days:
                self._append(batch.join(self._known(batch, days), "anomaly_id", "left_anti"), batch_id)
        finally:
            batch.unpersist()

    def _known(self, batch: DataFrame, days: list[object]) -> DataFrame:
        """The ids in the table that the batch could hold. Its days and the span of its event times stand in the
        filter as literals, so that Delta opens only the files in which they may be."""
        table = batch.sparkSession.read.format("delta").load(self._path)
        span = batch.agg(
            F.unix_micros(F.min("event_time")).alias("first"), F.unix_micros(F.max("event_time")).alias("last")
        ).collect()[0]
        first, last = (F.timestamp_micros(F.lit(micros)) for micros in (span["first"], span["last"]))
        inside = F.col("event_date").isin(days) & F.col("event_time").between(first, last)
        return table.where(inside).select("anomaly_id")

    def _append(self, rows: DataFrame, batch_id: int) -> None:
        (
            rows.write.format("delta")
            .mode("append")
            .option("txnAppId", self._application)
            .option("txnVersion", batch_id)
            .save(self._path)
        )
