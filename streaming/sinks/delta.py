"""Anomalies to the Delta table `anomalies`.

1. merge the batch by anomaly_id: what is there already stays as it is      a crash before: nothing written
2. Spark commits the offsets                                                a crash before: the batch is merged again,
                                                                            which inserts nothing
"""

from delta import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.tables import ANOMALIES


class DeltaSink:
    def __init__(self, bucket: str) -> None:
        self._path = ANOMALIES.path(bucket)

    def write(self, anomalies: DataFrame) -> None:
        new = anomalies.dropDuplicates(["anomaly_id"]).coalesce(1)
        days = [row.event_date for row in anomalies.select("event_date").distinct().collect()]
        if not days:
            return
        # The days stand in the condition as literals, so that only their partitions are searched.
        same = F.col("old.event_date").isin(days) & F.expr(
            "old.event_date = new.event_date AND old.anomaly_id = new.anomaly_id"
        )
        table = DeltaTable.forPath(anomalies.sparkSession, self._path)
        table.alias("old").merge(new.alias("new"), same).whenNotMatchedInsertAll().execute()
