"""Tables as their specifications say, or a refusal; a first version of the thresholds."""

import pytest
from delta import DeltaTable

from lakehouse import creation, thresholds
from lakehouse.lake import Lake
from lakehouse.registry import AlertRule
from lakehouse.tables import READINGS, THRESHOLDS
from sensorlake.errors import LakeError


@pytest.fixture
def lake(tmp_path):
    return str(tmp_path)


def live(spark, lake):
    return spark.read.format("delta").load(THRESHOLDS.path(lake))


def detail(spark, table, lake):
    return DeltaTable.forPath(spark, table.path(lake)).detail().first()


def test_a_bucket_and_a_folder_are_told_apart():
    assert READINGS.path("lake.test") == "s3a://lake.test/readings"
    assert READINGS.path("/data/lake") == "/data/lake/readings"


def test_a_missing_table_is_made_as_specified_and_a_present_one_left_alone(spark, lake):
    for _ in range(2):
        creation.ensure(Lake(lake), READINGS)
    found = detail(spark, READINGS, lake)
    assert found.partitionColumns == ["event_date"]
    assert found.description == READINGS.description
    assert found.properties.items() >= READINGS.properties.items()
    assert DeltaTable.forPath(spark, READINGS.path(lake)).history().count() == 1


def test_a_table_of_other_columns_is_refused_with_their_names(spark, lake):
    spark.sql("select 'x' reading_id, 1 value, 'y' colour").write.format("delta").save(READINGS.path(lake))
    with pytest.raises(LakeError) as refused:
        creation.ensure(Lake(lake), READINGS)
    message = str(refused.value)
    assert "colour: string instead of absent" in message
    assert "value: integer instead of double" in message
    assert "event_date: absent instead of date" in message
    assert "reading_id" not in message
    assert spark.read.format("delta").load(READINGS.path(lake)).columns == ["reading_id", "value", "colour"]


def test_a_table_of_an_older_version_gets_the_columns_that_it_lacks(spark, lake):
    older = "select 'x' reading_id, 1.5D value, date'2026-11-03' event_date"
    spark.sql(older).write.format("delta").partitionBy("event_date").save(READINGS.path(lake))
    found = creation.ensure(Lake(lake), READINGS).to_pyarrow_table().to_pylist()
    assert [(row["reading_id"], row["value"], row["device_id"]) for row in found] == [("x", 1.5, None)]


def rule(metric, device=None, lower=None, upper=None, z_limit=None):
    return AlertRule(metric, device, lower, upper, z_limit, "critical", "K", "", "")


def test_the_first_version_comes_from_the_rules_and_stays(spark, lake):
    rules = [rule("t", lower=-20.0, upper=85.0), rule("t", "pump-1", z_limit=4.0)]
    thresholds.ensure_first_version(Lake(lake), rules)
    thresholds.ensure_first_version(Lake(lake), [rule("other", upper=1.0)])  # rules that changed are no new version
    rows = {row.device_id: row for row in live(spark, lake).collect()}
    assert rows.keys() == {"*", "pump-1"}
    assert (rows["*"].metric, rows["*"].lower, rows["*"].upper, rows["*"].z_limit) == ("t", -20.0, 85.0, None)
    assert (rows["pump-1"].lower, rows["pump-1"].z_limit, rows["pump-1"].unit) == (None, 4.0, "K")
    assert {row.version for row in rows.values()} == {1}
    assert {row.published_by for row in rows.values()} == {"registry.alert_rules"}


def test_no_rules_is_an_error_that_says_where_to_add_them(spark, lake):
    with pytest.raises(LakeError, match="alert_rules is empty"):
        thresholds.ensure_first_version(Lake(lake), [])
    assert live(spark, lake).isEmpty()
    assert detail(spark, THRESHOLDS, lake).partitionColumns == []
