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

PUMP = 'it\'s a "pump" \\ 泵'


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


@pytest.fixture
def found(spark, file):
    """device -> upper limit and version, by what the session finds now for metric t."""
    limits.register(spark, file.path)
    devices = spark.createDataFrame([("*", "t"), (PUMP, "t"), ("*", "other")], "device_id STRING, metric STRING")
    frame = devices.select("device_id", limits.of("device_id", "metric").alias("limits")).where("limits is not null")
    return lambda: {row.device_id: (row.limits.upper, row.limits.version) for row in frame.collect()}


def until(true):
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline


def test_a_version_published_later_is_in_force_in_a_frame_made_before(spark, lake, file, found):
    assert found() == {"*": (85.0, 1), PUMP: (85.0, 1)}
    shared = live(spark, lake).withColumn("version", F.lit(2).cast("bigint"))
    own = shared.withColumns({"device_id": F.lit(PUMP), "upper": F.lit(50.5)})
    publish(spark, lake, shared.union(own))
    assert found() == {"*": (85.0, 1), PUMP: (85.0, 1)}
    file.refresh()
    until(lambda: found() == {"*": (85.0, 2), PUMP: (50.5, 2)})


def test_a_file_that_is_damaged_leaves_the_last_good_limits_until_a_whole_one_is_there(spark, file, found):
    good = file.path.read_bytes()
    assert found()["*"] == (85.0, 1)
    file.path.write_bytes(good + b'{"device_id": "*", "metric"')
    since = time.monotonic()
    while time.monotonic() < since + 2.5:  # it is looked at once a second
        assert found()["*"] == (85.0, 1)
    file.path.write_bytes(good.replace(b"85.0", b"86.0"))
    until(lambda: found()["*"] == (86.0, 1))


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
        until(lambda: b'"version":2' in file.path.read_bytes())
    finally:
        file.close()
