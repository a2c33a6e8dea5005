"""Contracts: what others have built on. A failure here says that a change breaks data or messages already written."""

import io
from datetime import UTC, date, datetime

import fastavro
import pytest

from contracts import avro, identity, shapes
from contracts.topics import Topics
from sensorlake.errors import ContractError

FIELDS = {
    "reading": "reading_id device_id sensor_id metric event_time value unit location received_at source_partition "
    "source_offset event_date",
    "anomaly": "anomaly_id device_id sensor_id metric event_time window_start window_end value score threshold "
    "detector severity is_anomaly features threshold_version model_version detected_at event_date",
    "dead_letter": "payload key dq_reason source_topic source_partition source_offset replay_count received_at "
    "event_date",
    "device_event": "event_id device_id event_type event_time detail",
    "feature": "window_kind window_start window_end device_id metric count mean stddev min max range delta "
    "rate_of_change event_date",
    "threshold": "device_id metric lower upper mean stddev z_limit unit version published_at published_by source note",
    "enriched_reading": "reading_id device_id sensor_id metric event_time value unit location model registered "
    "interval_seconds firmware in_maintenance maintenance_kind event_type anomalies delay_seconds received_at "
    "event_date",
    "trend": "period period_start device_id metric unit count mean stddev min p05 p25 p50 p75 p95 max anomalies "
    "anomaly_rate first_at last_at gaps gap_seconds previous_mean change event_date",
    "baseline": "device_id metric since until windows readings centre spread mean stddev within between min max "
    "deciles low high hours steepest flat interval_seconds shifted_at computed_at",
    "threshold_candidate": "device_id metric lower upper mean stddev z_limit unit source note live_mean live_stddev "
    "change expected_alarms live_alarms expected_readings computed_at",
    "quality_result": "day table check severity passed examined offenders observed detail checked_at",
    "training_reading": "version origin part device_id metric event_time value abnormal kind",
    "model_version": "name version role since by why trained_on was_champion",
    "model_score": "judged_at name version role data training_set kind rows abnormal threshold roc_auc pr_auc "
    "precision recall f1 false_alarm_rate against difference difference_low difference_high curve_recall "
    "curve_precision curve_false_alarm_rate alarms alarms_of_both",
}
SCHEMAS = sorted(file.stem for file in avro.FOLDER.glob("*.avsc"))
AS_JSON = [name for name in SCHEMAS if name != "dead_letter"]
EVENT_TIME = datetime(2026, 11, 3, 12, 0, 0, 123456, tzinfo=UTC)
EVENT_MICROS = 1_793_707_200_123_456


def test_the_fields_that_others_rely_on_are_there_in_their_order():
    assert {name: avro.field_names(name) for name in SCHEMAS} == {name: text.split() for name, text in FIELDS.items()}


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_valid_avro(name):
    assert fastavro.parse_schema(avro.load(name))["name"] == f"sensorlake.{avro.load(name)['name']}"


def test_a_reading_survives_avro():
    schema = fastavro.parse_schema(avro.load("reading"))
    reading = {
        "reading_id": identity.reading_id("pump-1", "pump-1-t", "temperature", EVENT_MICROS),
        "device_id": "pump-1",
        "sensor_id": "pump-1-t",
        "metric": "temperature",
        "event_time": EVENT_TIME,
        "value": 21.5,
        "unit": None,
        "location": "Halle 3, Süd",
        "received_at": EVENT_TIME,
        "source_partition": 1,
        "source_offset": 2**40,
        "event_date": date(2026, 11, 3),
    }
    wire = io.BytesIO()
    fastavro.schemaless_writer(wire, schema, reading)
    wire.seek(0)
    assert fastavro.schemaless_reader(wire, schema, schema) == reading


def test_an_unknown_schema_is_answered_with_those_there_are():
    with pytest.raises(ContractError, match=r"no schema 'readings'.*anomaly, .*reading"):
        avro.load("readings")


@pytest.mark.parametrize("name", SCHEMAS)
def test_spark_has_the_columns_of_the_schema(name):
    columns = [column.split()[0] for column in shapes.spark_ddl(name).replace("MAP<STRING, ", "MAP<").split(", ")]
    assert columns == avro.field_names(name)


def test_spark_types_follow_from_avro_types():
    assert shapes.spark_ddl("device_event") == (
        "event_id STRING NOT NULL, device_id STRING NOT NULL, event_type STRING NOT NULL, event_time TIMESTAMP "
        "NOT NULL, detail MAP<STRING, STRING> NOT NULL"
    )
    anomaly = shapes.spark_ddl("anomaly")
    assert "window_start TIMESTAMP, " in anomaly, "a union with null is a nullable column"
    assert "threshold_version BIGINT, " in anomaly
    assert anomaly.endswith("event_date DATE NOT NULL")


@pytest.mark.parametrize("name", AS_JSON)
def test_the_json_schema_has_the_fields_and_asks_for_those_without_a_default(name):
    derived = shapes.json_schema(name)
    fields = avro.load(name)["fields"]
    assert list(derived["properties"]) == avro.field_names(name)
    optional = {field["name"] for field in fields if "default" in field}
    assert set(derived["required"]) == set(avro.field_names(name)) - optional


def test_json_carries_times_as_text():
    derived = shapes.json_schema("anomaly")["properties"]
    assert derived["event_time"] == {"type": "string", "format": "date-time"}
    assert derived["window_end"] == {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}
    assert derived["features"] == {"type": "object", "additionalProperties": {"type": "number"}}


def test_original_bytes_have_no_json_shape():
    with pytest.raises(ContractError, match="bytes"):
        shapes.json_schema("dead_letter")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("pump-1", "pump-1-t", "temperature", 1_700_000_000_123_456), "6705c5f2741cb51e43ef6094b3388590"),
        (("Pümpe °1", "s", "m", -1), "6e3e59e7050e2f497f6c00a8e7604bca"),
    ],
)
def test_ids_of_readings_never_change(parts, expected):
    """Or everything in the lake would be new once more."""
    assert identity.reading_id(*parts) == expected


def test_ids_of_anomalies_never_change():
    """Or each sink would store again what it has."""
    assert (
        identity.anomaly_id("pump-1", "temperature", 1_700_000_000_123_456, "hard_limit")
        == "b8cd2dce2c66e4936493d3e7f33190c1"
    )


def test_parts_of_an_id_do_not_run_into_each_other():
    assert identity.reading_id("a", "bc", "m", 1) != identity.reading_id("ab", "c", "m", 1)


def test_topics_have_the_agreed_names():
    assert Topics().all() == [
        "iot.sensor.raw",
        "iot.device.events",
        "user_events",
        "iot.sensor.anomaly",
        "iot.sensor.dlq",
    ]
    assert Topics("plant1.").raw == "plant1.iot.sensor.raw"
