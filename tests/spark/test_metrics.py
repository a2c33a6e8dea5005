"""The metrics query on tables that change below it as they do in service: merged, and with old days dropped."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse import creation, retention
from lakehouse.appender import Appender
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.tables import FEATURES, READINGS
from sensorlake.errors import LakeError
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


def features(*means):
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    rows = [
        {"device_id": "d", "metric": "t", "window_kind": "tumbling_1m", "window_end": at, "count": 6, "mean": mean}
        | {"event_date": FIRST}
        for mean in means
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema("feature"))


def run(spark, lake, checkpoint):
    """What one run of the query takes, until nothing is left."""
    return sorted(
        float(line.split(" ")[1].removeprefix("value=")) for piece in taken(spark, lake, checkpoint) for line in piece
    )


def taken(spark, lake, checkpoint):
    """The same, piece by piece."""
    found = []

    def take(batch, _):
        found.extend(lines.to_pylist() for lines in metrics.pieces(lake, batch))

    query = (
        metrics.rows(spark, lake.root)
        .writeStream.foreachBatch(take)
        .option("checkpointLocation", str(checkpoint))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination(120)
    return found


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


def test_a_large_file_is_taken_in_pieces_and_each_table_has_lines_of_its_own(spark, lake, tmp_path, monkeypatch):
    """Rows of a backlog in Java's heap at once ended the stream."""
    monkeypatch.setattr(metrics, "_ROWS", 1000)
    values = [float(number) for number in range(2500)]
    Appender(lake, READINGS, "checkpoint").append(readings(*values), 0)
    Appender(lake, FEATURES, "checkpoint").append(features(1.5, 2.5), 0)
    *of_readings, of_features = taken(spark, lake, tmp_path / "checkpoint")
    assert [len(piece) for piece in of_readings] == [1000, 1000, 500]
    assert {float(line.split(" ")[1].removeprefix("value=")) for piece in of_readings for line in piece} == {*values}
    assert [line.split(" ")[:2] for line in of_features] == [
        ["sensor_metrics,device_id=d,metric=t,window=tumbling_1m", f"count=6i,mean={mean}"] for mean in (1.5, 2.5)
    ]


def test_a_folder_may_have_blanks_in_its_name(spark, tmp_path):
    """Spark writes a blank in a path as %20."""
    blank = Lake(str(tmp_path / "a lake"))
    for table in (READINGS, FEATURES):
        creation.ensure(blank, table)
    Appender(blank, READINGS, "checkpoint").append(readings(1.0), 0)
    assert run(spark, blank, tmp_path / "checkpoint") == [1.0]


def test_a_file_that_lies_in_no_table_is_named_and_not_passed_over(lake):
    class Batch:
        """A batch of Spark's, as far as it is asked."""

        def coalesce(self, _):
            return self

        def distinct(self):
            return self

        def collect(self):
            return [SimpleNamespace(file="s3a://elsewhere/readings/part-0.parquet")]

    with pytest.raises(LakeError, match=r"part-0\.parquet"):
        next(metrics.pieces(lake, Batch()))


def test_columns_that_an_older_file_lacks_are_null(lake, tmp_path):
    old = pa.table({"device_id": ["d"], "value": [1.5]})
    (tmp_path / "lake" / "readings").mkdir(exist_ok=True)
    pq.write_table(old, tmp_path / "lake" / "readings" / "old.parquet")
    (piece,) = lake.read(READINGS, ["old.parquet"], ["device_id", "location", "value"], 10)
    assert piece.to_pylist() == [{"device_id": "d", "location": None, "value": 1.5}]
