"""Secured servers: who is let in, and what each part of sensorlake may not do."""

import socket
import ssl

import pg8000.native
import pytest
from botocore.exceptions import ClientError, SSLError
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from pydantic import SecretStr

from contracts.topics import Topics
from lakehouse.lake import Lake
from lakehouse.registry import database as registry_database
from lakehouse.registry import migrate
from sensorlake import connections
from sensorlake import settings as settings_module
from sensorlake.errors import StackError, StreamError
from sensorlake.settings import Settings
from stack import env_file, selection, up
from stack.doctor import examination
from stack.security import certificates
from streaming import topics
from tests.integration.secured import installation

pytestmark = pytest.mark.integration

TOPICS = Topics("")


def test_the_data_folder_stays_secured_without_being_told_again(operator: Settings):
    again = settings_module.load(operator.data_dir)
    assert again.secure
    assert again.s3_endpoint.startswith("https://")
    assert again.kafka_user == "operator"


def test_a_server_shows_a_certificate_of_this_installation_alone(operator: Settings):
    ours = ssl.create_default_context(cafile=operator.tls_ca_file)
    port = int(operator.s3_endpoint.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        ours.wrap_socket(plain, server_hostname="127.0.0.1") as encrypted,
    ):
        assert encrypted.version() in ("TLSv1.2", "TLSv1.3")
    strangers = ssl.create_default_context()
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        strangers.wrap_socket(plain, server_hostname="127.0.0.1")


# Kafka


def kafka(settings: Settings, **changes: str) -> AdminClient:
    return AdminClient(connections.kafka(settings) | {"log_level": 0, "socket.timeout.ms": "5000"} | changes)


def test_kafka_refuses_plain_clients_and_wrong_passwords(operator: Settings):
    assert TOPICS.raw in kafka(operator).list_topics(timeout=20).topics
    plain = AdminClient({"bootstrap.servers": operator.kafka_bootstrap_servers, "log_level": 0})
    without_login = kafka(operator, **{"security.protocol": "SSL"})
    wrong = kafka(operator, **{"sasl.password": "wrong"})
    for refused in (plain, without_login, wrong):
        with pytest.raises(KafkaException):
            refused.list_topics(timeout=4)


def test_a_sender_sends_and_neither_reads_nor_writes_elsewhere(operator: Settings):
    edge = installation.of(operator, "edge")
    assert sent(edge, TOPICS.raw) is None
    assert sent(edge, TOPICS.anomaly) == "TOPIC_AUTHORIZATION_FAILED"
    consumer = Consumer(connections.kafka(edge) | {"group.id": "spy", "auto.offset.reset": "earliest", "log_level": 0})
    try:
        consumer.subscribe([TOPICS.raw])
        found = consumer.poll(10)
        assert found is not None
        assert found.error().name() in ("TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED")
    finally:
        consumer.close()


def test_the_stream_makes_and_deletes_no_topics(operator: Settings):
    stream = kafka(installation.of(operator, "stream"))
    with pytest.raises(KafkaException, match="authoriz"):
        stream.delete_topics([TOPICS.raw])[TOPICS.raw].result(timeout=20)
    assert sent(installation.of(operator, "stream"), TOPICS.raw) == "TOPIC_AUTHORIZATION_FAILED"


def test_the_stream_says_who_makes_the_topics_that_are_missing(operator: Settings):
    elsewhere = installation.of(operator, "stream").model_copy(update={"topic_prefix": "elsewhere."})
    with pytest.raises(StreamError, match=r"topic elsewhere\..* is missing.*`sensorlake up` makes topics"):
        topics.ensure(elsewhere)


def sent(settings: Settings, topic: str) -> str | None:
    """Why a message was not taken; None where it was."""
    outcomes: list[str | None] = []
    producer = Producer(connections.kafka(settings) | {"log_level": 0, "message.timeout.ms": "15000"})
    producer.produce(topic, b"{}", on_delivery=lambda error, _: outcomes.append(error.name() if error else None))
    producer.flush(20)
    (outcome,) = outcomes
    return outcome


# PostgreSQL


def test_postgres_refuses_plain_clients_and_wrong_passwords(operator: Settings):
    with installation.database(operator) as connection:
        assert connection.run("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == [[True]]
    with pytest.raises(pg8000.native.DatabaseError, match=r"no pg_hba\.conf entry"):
        pg8000.native.Connection(
            operator.postgres_user,
            password=operator.postgres_password.get_secret_value(),
            host="127.0.0.1",
            port=operator.postgres_port,
            database=operator.postgres_database,
            ssl_context=False,
        )
    wrong = operator.model_copy(update={"postgres_password": SecretStr("wrong")})
    with pytest.raises(pg8000.native.DatabaseError, match="28P01"), installation.database(wrong):
        pass


@pytest.mark.parametrize(
    ("service", "statement"),
    [
        ("stream", "drop table stream.anomalies"),
        ("stream", "delete from stream.anomalies"),
        ("stream", "create table stream.mine (a int)"),
        ("stream", "create schema mine"),
        ("stream", "select * from registry.devices"),
        ("stream", "select stream.drop_anomalies_month('2026-01-01')"),
        ("reporting", "select settings from registry.device_configs"),
        ("reporting", "insert into stream.summaries default values"),
        ("reporting", "create table registry.mine (a int)"),
        ("orchestration", "drop table facts.device_days"),
        ("orchestration", "update registry.alert_rules set upper = 1"),
        ("orchestration", "insert into stream.anomalies default values"),
        ("dashboards", "select * from stream.anomalies"),
    ],
)
def test_a_role_is_refused_what_its_part_need_not_do(operator: Settings, service, statement: str):
    with (
        installation.database(installation.of(operator, service)) as connection,
        pytest.raises(pg8000.native.DatabaseError, match="42501"),
    ):
        connection.run(statement)


def test_reports_are_read_by_dashboards_as_soon_as_they_are_built(operator: Settings):
    with installation.database(installation.of(operator, "reporting")) as connection:
        connection.run("create table reporting.some_report as select count(*) as days from facts.device_days")
        connection.run("select * from registry.devices, stream.anomalies, registry.feedback limit 1")
    with installation.database(installation.of(operator, "dashboards")) as connection:
        assert connection.run("select days from reporting.some_report") == [[0]]


def test_months_are_made_and_dropped_by_those_who_own_no_table(operator: Settings):
    with installation.database(installation.of(operator, "orchestration")) as connection:
        assert connection.run("select stream.add_anomalies_month('2031-05-05')") == [["anomalies_2031_05"]]
        assert connection.run("select stream.drop_anomalies_month('2031-05-05')") == [["anomalies_2031_05"]]


def test_the_stream_finds_the_registry_up_to_date_and_says_who_can_change_it(operator: Settings):
    stream = installation.of(operator, "stream")
    migrate(stream)
    with installation.database(operator) as connection:
        connection.run("update registry.migrations set version_num = '0001'")
        try:
            with pytest.raises(StackError, match="sensorlake up"):
                migrate(stream)
        finally:
            connection.run("update registry.migrations set version_num = (:newest)", newest=newest())


def newest() -> str:
    from alembic.script import ScriptDirectory  # noqa: PLC0415  only this test reads the migrations

    from lakehouse.registry import migration  # noqa: PLC0415

    return str(ScriptDirectory.from_config(migration.config()).get_current_head())


def test_sqlalchemy_checks_the_certificate_too(operator: Settings, tmp_path):
    with registry_database.transaction(operator) as connection:
        assert connection.exec_driver_sql("select ssl from pg_stat_ssl where pid = pg_backend_pid()").scalar()
    certificates.ensure(tmp_path)
    other = operator.model_copy(update={"tls_ca_file": str(certificates.authority_file(tmp_path))})
    with pytest.raises(ssl.SSLCertVerificationError), registry_database.transaction(other):
        pass


# MinIO


def test_minio_encrypts_what_it_stores(operator: Settings):
    with installation.s3(operator) as client:
        client.put_object(Bucket=operator.lake_bucket, Key="secured/plain", Body=b"find me on the disk" * 100)
        assert client.head_object(Bucket=operator.lake_bucket, Key="secured/plain")["ServerSideEncryption"]
    found = [path for path in (operator.data_dir / "minio" / "data").rglob("*") if path.is_file()]
    assert any("secured" in path.parts for path in found)
    assert not any(b"find me on the disk" in path.read_bytes() for path in found)


def test_a_part_writes_its_own_buckets_alone(operator: Settings):
    lake, models = operator.lake_bucket, operator.models_bucket
    with installation.s3(installation.of(operator, "orchestration")) as client:
        client.put_object(Bucket=models, Key="secured/model", Body=b"1")
    with installation.s3(installation.of(operator, "stream")) as client:
        client.put_object(Bucket=lake, Key="secured/stream", Body=b"1")
        assert client.get_object(Bucket=models, Key="secured/model")["Body"].read() == b"1"
        for refused in (
            lambda: client.put_object(Bucket=models, Key="secured/model", Body=b"2"),
            lambda: client.delete_object(Bucket=models, Key="secured/model"),
            lambda: client.create_bucket(Bucket="mine"),
        ):
            with pytest.raises(ClientError, match="AccessDenied"):
                refused()
    with (
        installation.s3(installation.of(operator, "serving")) as client,
        pytest.raises(ClientError, match="AccessDenied"),
    ):
        client.put_object(Bucket=lake, Key="secured/serving", Body=b"1")


def test_minio_refuses_a_wrong_secret_and_is_refused_without_its_certificate(operator: Settings, tmp_path):
    wrong = installation.of(operator, "stream").model_copy(update={"s3_secret_key": SecretStr("wrong")})
    with installation.s3(wrong) as client, pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client.list_objects_v2(Bucket=operator.lake_bucket)
    certificates.ensure(tmp_path)
    stranger = operator.model_copy(update={"tls_ca_file": str(certificates.authority_file(tmp_path))})
    with installation.s3(stranger) as client, pytest.raises(SSLError):
        client.list_buckets()


def test_the_lake_is_opened_over_tls(operator: Settings):
    from lakehouse import creation  # noqa: PLC0415  loads delta-rs
    from lakehouse.tables import READINGS  # noqa: PLC0415

    lake = Lake.of(installation.of(operator, "stream"))
    creation.ensure(lake, READINGS)
    assert lake.open(READINGS).version() == 0


# InfluxDB


@pytest.mark.parametrize(("service", "writes", "reads"), [("stream", True, False), ("dashboards", False, True)])
def test_a_token_is_good_for_its_use_alone(operator: Settings, service, writes, reads):
    own = installation.of(operator, service)
    with InfluxDBClient(
        url=own.influxdb_url,
        token=own.influxdb_token.get_secret_value(),
        org=own.influxdb_org,
        ssl_ca_cert=own.tls_ca_file,
    ) as client:
        assert allowed(lambda: written(client, own.influxdb_bucket)) is writes
        assert allowed(
            lambda: client.query_api().query(f'from(bucket: "{own.influxdb_bucket}") |> range(start: -1h)')
        ) is (reads)


def written(client: InfluxDBClient, bucket: str) -> None:
    with client.write_api(write_options=SYNCHRONOUS) as writer:
        writer.write(bucket=bucket, record="secured,a=b v=1")


def allowed(action) -> bool:
    try:
        action()
    except ApiException as error:
        if error.status not in (401, 403, 404):
            raise
        return False
    return True


# Rotation


def test_a_login_that_is_taken_out_of_its_file_is_replaced_by_the_next_start(operator: Settings):
    before = installation.of(operator, "stream")
    path = operator.credentials_of("stream")
    secret = ("KAFKA_PASSWORD", "POSTGRES_PASSWORD", "S3_SECRET_KEY", "INFLUXDB_TOKEN")
    kept = {name: value for name, value in env_file.read(path).items() if not name.endswith(secret)}
    env_file.write(path, kept, comment="rotated", mode=0o600)
    up.bring_up(operator, list(selection.SERVERS))
    after = installation.of(operator, "stream")
    assert works(after) == {"kafka": True, "postgres": True, "s3": True, "influxdb": True}
    assert works(before) == {"kafka": False, "postgres": False, "s3": False, "influxdb": False}


def works(settings: Settings) -> dict[str, bool]:
    """Which servers take these logins."""

    def postgres() -> None:
        with installation.database(settings) as connection:
            connection.run("select 1")

    def s3() -> None:
        with installation.s3(settings) as client:
            client.list_objects_v2(Bucket=settings.lake_bucket)

    def influxdb() -> None:
        with InfluxDBClient(
            url=settings.influxdb_url,
            token=settings.influxdb_token.get_secret_value(),
            org=settings.influxdb_org,
            ssl_ca_cert=settings.tls_ca_file,
        ) as client:
            written(client, settings.influxdb_bucket)

    actions = {"kafka": lambda: kafka(settings).list_topics(timeout=5), "postgres": postgres, "s3": s3}
    return {name: succeeds(action) for name, action in (actions | {"influxdb": influxdb}).items()}


def succeeds(action) -> bool:
    try:
        action()
    except (KafkaException, pg8000.native.DatabaseError, ClientError, ApiException):
        return False
    return True


# What lies about


def test_doctor_finds_nothing_but_what_the_machine_lacks(operator: Settings):
    found = examination.examine(operator).findings
    assert [finding.what for finding in found if finding.area not in ("disk", "versions")] == []
