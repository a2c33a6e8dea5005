"""The sensor `stream_servers` asks real servers: each topic, measurement and table that grew is told once."""

import time
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest
from confluent_kafka import Producer
from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS

from lakehouse import registry
from lakehouse.postgres import connect
from orchestration.defs.stream import sensors
from orchestration.resources.installation import Installation
from sensorlake.settings import PREFIX, Settings
from streaming import topics

pytestmark = pytest.mark.integration


@pytest.fixture
def own(stack_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The servers of this session, with topics and a bucket of this test's own."""
    monkeypatch.setenv(PREFIX + "DATA_DIR", str(stack_settings.data_dir))
    monkeypatch.setenv(PREFIX + "TOPIC_PREFIX", "sensor-test.")
    registry.migrate(stack_settings)
    settings = Installation().settings
    topics.ensure(settings)
    return settings


def tick(cursor: str | None) -> tuple[dict[str, dict[str, Any]], str]:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        result = sensors.stream_servers(context, installation=Installation())
        assert isinstance(result, dg.SensorResult)
        if result.skip_reason:
            assert "does not answer" not in str(result.skip_reason.skip_message)
        found = {}
        for event in result.asset_events:
            assert isinstance(event, dg.AssetMaterialization)
            instance.report_runless_asset_event(event)
            found[event.asset_key.to_user_string()] = {name: each.value for name, each in event.metadata.items()}
        return found, str(result.cursor)


def test_what_grew_is_told_once(own: Settings) -> None:
    _, cursor = tick(None)
    producer = Producer({"bootstrap.servers": own.kafka_bootstrap_servers})
    for number in range(5):
        producer.produce("sensor-test.iot.sensor.raw", str(number))
    assert producer.flush(20) == 0
    token = own.influxdb_token.get_secret_value()
    with InfluxDBClient(own.influxdb_url, token, org=own.influxdb_org) as client:
        line = f"sensor_anomalies,device_id=sensor-test value=1 {time.time_ns()}"
        client.write_api(write_options=SYNCHRONOUS).write(own.influxdb_bucket, record=line)
    connection = connect(own, "test")
    try:
        connection.run(
            "insert into registry.devices (device_id, installed_at) values ('sensor-test', now()) "
            "on conflict (device_id) do update set model = 'again'"
        )
    finally:
        connection.close()

    told: dict[str, dict[str, Any]] = {}
    wanted = {"kafka/iot_sensor_raw", "influxdb/sensor_anomalies", "postgres/registry/devices"}
    deadline = time.monotonic() + 60
    while not wanted <= told.keys():  # PostgreSQL counts its rows a moment later
        assert time.monotonic() < deadline, told.keys()
        found, cursor = tick(cursor)
        told |= found
    assert told["kafka/iot_sensor_raw"]["messages"] == 5
    assert told["kafka/iot_sensor_raw"]["topic"] == "sensor-test.iot.sensor.raw"
    devices = told["postgres/registry/devices"]
    assert devices["rows_estimated"] >= 1
    columns = {each.name: each for each in devices["dagster/column_schema"].columns}
    assert (columns["device_id"].type, columns["device_id"].constraints.nullable) == ("text", False)
    assert (columns["model"].type, columns["model"].constraints.nullable) == ("text", True)
    assert columns["is_example"].description == "Shipped with sensorlake; safe to delete."
    assert abs(told["influxdb/sensor_anomalies"]["newest_point"] - datetime.now(UTC).timestamp()) < 120

    again, _ = tick(cursor)
    assert not wanted & again.keys()
