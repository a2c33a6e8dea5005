"""The alerts lane takes over each published version of the limits, and keeps the last good one whatever comes next."""

import shutil
import time

import pytest
from pyspark.sql import functions as F

from lakehouse import thresholds
from lakehouse.lake import Lake
from lakehouse.registry import AlertRule
from lakehouse.tables import THRESHOLDS
from sensorlake.errors import LakeError
from streaming import limits
from streaming.limits import LimitsFile


@pytest.fixture
def lake(spark, tmp_path):
    rule = AlertRule("t", None, -20.0, 85.0, None, "critical", "K", "", "")
    thresholds.ensure_first_version(Lake(str(tmp_path)), [rule])
    return str(tmp_path)


@pytest.fixture
def file(lake, tmp_path):
    file = LimitsFile(Lake(lake), tmp_path / "run" / "limits.jsonl")
    file.refresh()
    return file


def live(spark, lake):
    return spark.read.format("delta").load(THRESHOLDS.path(lake))


def publish(spark, lake, rows):
    rows.write.format("delta").mode("overwrite").save(THRESHOLDS.path(lake))


def test_a_version_published_later_shows_in_a_frame_made_before(spark, lake, file):
    frame = limits.read(spark, file.path)
    assert [(row.device_id, row.metric, row.lower, row.upper, row.mean) for row in frame.collect()] == [
        ("*", "t", -20.0, 85.0, None)
    ]
    own = live(spark, lake).withColumns({"upper": F.lit(50.5), "version": F.lit(2).cast("bigint")})
    publish(spark, lake, own.union(own.withColumn("device_id", F.lit('it\'s a "pump" \\ 泵'))))
    assert [row.version for row in frame.collect()] == [1]
    file.refresh()
    found = {row.device_id: (row.upper, row.version) for row in frame.collect()}
    assert found == {"*": (50.5, 2), 'it\'s a "pump" \\ 泵': (50.5, 2)}


def test_a_version_without_rows_or_a_lake_that_is_gone_leaves_the_last_good_one(spark, lake, file):
    before = file.path.read_bytes()
    publish(spark, lake, live(spark, lake).where("false"))
    with pytest.raises(LakeError, match="no rows"):
        file.refresh()
    shutil.rmtree(THRESHOLDS.path(lake))
    with pytest.raises(LakeError, match="cannot be read"):
        LimitsFile(Lake(lake), file.path).refresh()
    assert file.path.read_bytes() == before


def test_the_file_follows_by_itself(spark, lake, file, monkeypatch):
    monkeypatch.setattr(limits, "LOOK_SECONDS", 0.05)
    file.follow()
    try:
        publish(spark, lake, live(spark, lake).withColumn("version", F.lit(2).cast("bigint")))
        deadline = time.monotonic() + 10
        while b'"version":2' not in file.path.read_bytes():
            assert time.monotonic() < deadline
    finally:
        file.close()
