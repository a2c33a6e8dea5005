"""What a secured stack is made of: the choice, certificates, logins, rules."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from contracts.topics import Topics
from lakehouse import jvm_trust
from lakehouse.registry import grants
from sensorlake import connections
from sensorlake import settings as settings_module
from sensorlake.errors import SettingsError, StackError
from sensorlake.settings import Settings
from stack import addresses, credentials, env_file, ports
from stack.doctor import certificates as doctor_certificates
from stack.security import certificates, choice, kafka_rules, logins, minio_policies


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return settings_module.load(tmp_path / "data")


@pytest.fixture
def secured(fresh: Settings) -> Settings:
    """Everything that `up` writes before a server runs, read back by the operator."""
    certificates.ensure(fresh.data_dir)
    addresses.write(fresh, ports.USUAL, str(certificates.authority_file(fresh.data_dir)))
    logins.ensure(fresh, credentials.ensure(fresh, secure=True))
    return settings_module.load(fresh.data_dir)


def test_security_is_chosen_at_the_first_start_and_stays(fresh: Settings):
    assert not choice.secured(fresh, {})
    assert choice.secured(fresh, {"SECURE": "1"})
    assert choice.secured(fresh.model_copy(update={"secure": True}), {})
    addresses.write(fresh, ports.USUAL, "/somewhere/ca.pem")
    (fresh.data_dir / "kafka").mkdir()
    assert choice.secured(fresh, {})


def test_data_that_were_made_in_the_open_are_not_said_to_be_secured(fresh: Settings):
    addresses.write(fresh, ports.USUAL)
    (fresh.data_dir / "minio").mkdir()
    with pytest.raises(StackError, match="made without security"):
        choice.secured(fresh, {"SECURE": "1"})
    with pytest.raises(StackError, match="SECURE=perhaps"):
        choice.secured(fresh, {"SECURE": "perhaps"})


def test_nothing_of_it_is_there_without_the_choice(fresh: Settings):
    addresses.write(fresh, ports.USUAL)
    made = credentials.ensure(fresh)
    own = settings_module.load(fresh.data_dir)
    assert connections.kafka(own) == {"bootstrap.servers": "127.0.0.1:9092"}
    assert connections.kafka_of_spark(own) == {"kafka.bootstrap.servers": "127.0.0.1:9092"}
    assert (connections.jaas(own), connections.postgres_tls(own), connections.libpq(own)) == (None, None, {})
    assert jvm_trust.flags(own) == ""
    assert made.kafka_password == ""
    assert settings_module.of_service(own, "stream") is own


def test_keys_are_for_their_owner_alone_and_certificates_name_this_machine(tmp_path: Path):
    assert certificates.ensure(tmp_path) == list(certificates.SERVERS)
    assert certificates.ensure(tmp_path) == []
    for key in tmp_path.rglob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700
    made = x509.load_pem_x509_certificate(certificates.of(tmp_path, "minio").public.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    authority = x509.load_pem_x509_certificate(certificates.authority_file(tmp_path).read_bytes())
    made.verify_directly_issued_by(authority)


def test_a_certificate_near_its_end_is_found_and_renewed_by_the_same_authority(tmp_path: Path):
    certificates.ensure(tmp_path)
    before = certificates.authority_file(tmp_path).read_bytes()
    later = datetime.now(UTC) + timedelta(days=380)
    assert doctor_certificates.findings(tmp_path) == []
    assert len(doctor_certificates.findings(tmp_path, later)) == len(certificates.SERVERS)
    assert certificates.ensure(tmp_path, later) == list(certificates.SERVERS)
    assert doctor_certificates.findings(tmp_path, later) == []
    assert certificates.authority_file(tmp_path).read_bytes() == before


def test_each_part_has_its_own_logins_and_no_others(secured: Settings):
    files = {service: env_file.read(secured.credentials_of(service)) for service in logins.USES}
    passwords = [
        value
        for variables in files.values()
        for name, value in variables.items()
        if name.endswith(("_PASSWORD", "S3_SECRET_KEY"))
    ]
    assert len(set(passwords)) == len(passwords)
    assert files["edge"].keys() == {"SENSORLAKE_KAFKA_USER", "SENSORLAKE_KAFKA_PASSWORD"}
    for service in logins.USES:
        assert stat.S_IMODE(secured.credentials_of(service).stat().st_mode) == 0o600
    edge = settings_module.load(secured.data_dir, "edge")
    assert (edge.kafka_user, edge.service) == ("edge", "edge")
    assert edge.postgres_password.get_secret_value() == edge.s3_secret_key.get_secret_value() == ""
    assert secured.kafka_user == "operator"


def test_logins_stay_and_what_a_server_made_is_kept(secured: Settings):
    before = secured.credentials_of("stream").read_text("utf-8")
    logins.keep(secured, "stream", "influxdb_token", "made-by-influxdb==")
    logins.ensure(secured, credentials.ensure(secured, secure=True))
    after = secured.credentials_of("stream").read_text("utf-8")
    assert after == before + "SENSORLAKE_INFLUXDB_TOKEN=made-by-influxdb==\n"
    assert settings_module.load(secured.data_dir, "stream").influxdb_token.get_secret_value() == "made-by-influxdb=="


def test_another_part_sees_the_same_installation_with_its_own_logins(secured: Settings):
    changed = secured.model_copy(update={"topic_prefix": "plant1."})
    reporting = settings_module.of_service(changed, "reporting")
    assert reporting.topic_prefix == "plant1."
    assert reporting.postgres_user == "sensorlake_reporting"
    assert reporting.kafka_password.get_secret_value() == ""


def test_spark_is_told_no_password(secured: Settings):
    stream = settings_module.load(secured.data_dir, "stream")
    password = stream.kafka_password.get_secret_value()
    assert password
    flags = jvm_trust.flags(stream)
    assert password not in str(connections.kafka_of_spark(stream)) + flags
    login = stream.data_dir / "run" / "kafka-stream.jaas"
    assert str(login) in flags
    assert f'password="{password}";' in login.read_text("utf-8")
    assert stat.S_IMODE(login.stat().st_mode) == 0o600
    stored = pkcs12.load_pkcs12((stream.data_dir / "run" / "truststore.p12").read_bytes(), b"changeit")
    assert len(stored.additional_certs) == 1


def test_a_password_that_java_would_misread_is_refused_without_being_shown(secured: Settings):
    broken = type(secured.kafka_password)('with"quote')
    with pytest.raises(SettingsError, match="SENSORLAKE_KAFKA_PASSWORD") as caught:
        connections.jaas(secured.model_copy(update={"kafka_password": broken}))
    assert "with" not in str(caught.value)


def test_only_the_stream_writes_anomalies_and_only_senders_and_replays_write_readings():
    topics = Topics("plant1.")
    rules = list(kafka_rules.rules(topics))
    writers = {
        (rule.principal, rule.name) for rule in rules if rule.operation.name == "WRITE" and rule.restype.name == "TOPIC"
    }
    assert writers == {
        ("User:stream", topics.anomaly),
        ("User:stream", topics.dead_letter),
        ("User:edge", topics.raw),
        ("User:orchestration", topics.raw),
    }
    assert not {"CREATE", "DELETE", "ALTER", "ALL"} & {rule.operation.name for rule in rules}


def test_the_stream_writes_no_models(fresh: Settings):
    allowed = minio_policies.policies(fresh)
    assert "s3:PutObject" not in allowed["stream"]["models"]
    document = minio_policies.policy(allowed["serving"])
    assert not any("Put" in action for statement in document["Statement"] for action in statement["Action"])
    assert {place for statement in document["Statement"] for place in statement["Resource"]} == {
        *("arn:aws:s3:::lake", "arn:aws:s3:::lake/*", "arn:aws:s3:::models", "arn:aws:s3:::models/*")
    }


def test_reports_may_read_no_configuration_of_devices():
    granted = [statement for statement in grants.statements() if grants.REPORTING in statement]
    assert granted
    for everything in ("device_configs", "all tables in schema registry"):
        assert not any(everything in statement for statement in granted)
