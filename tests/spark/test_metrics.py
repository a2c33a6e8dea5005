"""The metrics query on tables that change below it as they do in service: merged, and with old days dropped."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from lakehouse import creation, retention
from lakehouse.appender import Appender
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.tables import FEATURES, READINGS
from streaming import metrics

FIRST = date(2026, 11, 3)


@pytest.fixture
def lake(tmp_path):
    made = Lake(str(tmp_path / "lake"))
    for table in (READINGS, FEATURES):
        creation.ensure(made, table)
    return made


def readings(*values, day=FIRST):
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    rows = [
        {"device_id": "d", "sensor_id": "d", "metric": "t", "value": value, "event_time": at, "event_date": day}
        for value in values
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema("reading"))


def run(spark, lake, checkpoint):
    """What one run of the query takes, until nothing is left."""
    seen = []

    def take(batch, _):
        seen.extend(row.value for row in batch.select("value").collect())

    query = (
        metrics.rows(spark, lake.root)
        .writeStream.foreachBatch(take)
        .option("checkpointLocation", str(checkpoint))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination(120)
    return sorted(seen)


def test_it_goes_on_after_days_past_retention_left_the_tables(spark, lake, tmp_path):
    appender, checkpoint = Appender(lake, READINGS, "checkpoint"), tmp_path / "checkpoint"
    appender.append(readings(1.0), 0)
    appender.append(readings(2.0, day=FIRST + timedelta(days=1)), 1)
    assert run(spark, lake, checkpoint) == [1.0, 2.0]
    opened = lake.open(READINGS)
    assert retention.drop_before(opened, READINGS, FIRST + timedelta(days=1)) == 1
    later = Appender(lake, READINGS, "checkpoint")
    later.append(readings(3.0, day=FIRST + timedelta(days=1)), 2)
    lake.open(READINGS).optimize.compact()
    assert run(spark, lake, checkpoint) == [3.0]
    assert run(spark, lake, checkpoint) == []
