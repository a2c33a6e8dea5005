"""Each server of the stack, spoken to by the client that the product uses."""

import boto3
import pg8000.native
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS

from sensorlake.settings import Settings

pytestmark = pytest.mark.integration


def test_kafka_carries_a_message_of_twelve_megabytes(stack_settings: Settings) -> None:
    servers, topic = stack_settings.kafka_bootstrap_servers, "stack-test.large"
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, num_partitions=1)])[topic].result(timeout=20)
    producer = Producer({"bootstrap.servers": servers, "message.max.bytes": 16_000_000})
    producer.produce(topic, b"x" * 12_000_000)
    assert producer.flush(20) == 0
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "stack-test", "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([topic])
        message = consumer.poll(30)
        assert message is not None
        assert message.error() is None
        value = message.value()
        assert value is not None
        assert len(value) == 12_000_000
    finally:
        consumer.close()


def test_kafka_makes_no_topic_by_itself(stack_settings: Settings) -> None:
    admin = AdminClient({"bootstrap.servers": stack_settings.kafka_bootstrap_servers})
    admin.list_topics("stack-test.typing-error", timeout=10)
    assert "stack-test.typing-error" not in admin.list_topics(timeout=10).topics


def test_minio_holds_the_lake_bucket_for_its_key_alone(stack_settings: Settings) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=stack_settings.s3_endpoint,
        aws_access_key_id=stack_settings.s3_access_key,
        aws_secret_access_key=stack_settings.s3_secret_key.get_secret_value(),
        region_name="us-east-1",
    )
    stranger = boto3.client(
        "s3",
        endpoint_url=stack_settings.s3_endpoint,
        aws_access_key_id="minioadmin",
        aws_secret_access_key="minioadmin",
        region_name="us-east-1",
    )
    try:
        client.put_object(Bucket=stack_settings.lake_bucket, Key="stack-test/a", Body=b"1")
        assert client.get_object(Bucket=stack_settings.lake_bucket, Key="stack-test/a")["Body"].read() == b"1"
        with pytest.raises(stranger.exceptions.ClientError, match="InvalidAccessKeyId"):
            stranger.list_buckets()
    finally:
        client.close()
        stranger.close()


def test_postgres_serves_its_role_with_the_password_only(stack_settings: Settings) -> None:
    def connect(password: str) -> pg8000.native.Connection:
        return pg8000.native.Connection(
            stack_settings.postgres_user,
            password=password,
            host=stack_settings.postgres_host,
            port=stack_settings.postgres_port,
            database=stack_settings.postgres_database,
        )

    connection = connect(stack_settings.postgres_password.get_secret_value())
    try:
        connection.run("create temporary table t (v double precision)")
        connection.run("insert into t values (1.5)")
        assert connection.run("select v from t") == [[1.5]]
        assert connection.run("select rolsuper from pg_roles where rolname = current_user") == [[False]]
    finally:
        connection.close()
    with pytest.raises(pg8000.native.DatabaseError, match="28P01"):
        connect("wrong")


def test_influxdb_takes_and_returns_a_point(stack_settings: Settings) -> None:
    with InfluxDBClient(
        url=stack_settings.influxdb_url,
        token=stack_settings.influxdb_token.get_secret_value(),
        org=stack_settings.influxdb_org,
    ) as client:
        with client.write_api(write_options=SYNCHRONOUS) as writer:
            writer.write(bucket=stack_settings.influxdb_bucket, record="stack_test,a=b v=2.5")
        found = client.query_api().query(
            f'from(bucket: "{stack_settings.influxdb_bucket}") |> range(start: -1h)'
            ' |> filter(fn: (r) => r._measurement == "stack_test")'
        )
        assert [record.get_value() for table in found for record in table.records] == [2.5]
