"""How clients get at the servers: with TLS where the settings say so, and as whom they log in.

Without such settings every function here answers what a client would do by itself.
"""

import os
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from sensorlake.errors import SettingsError
from sensorlake.settings import PREFIX, Service, Settings

_MECHANISM = "SCRAM-SHA-512"


def kafka(settings: Settings) -> dict[str, str]:
    """What a client made with librdkafka needs to reach the brokers."""
    return {"bootstrap.servers": settings.kafka_bootstrap_servers, **kafka_access(settings)}


def kafka_access(settings: Settings) -> dict[str, str]:
    """The part of `kafka` beside the brokers' addresses; holds the password."""
    found = {"security.protocol": _protocol(settings)} if settings.kafka_tls or settings.kafka_user else {}
    if settings.kafka_tls and (authorities := certificates(settings)):
        found["ssl.ca.location"] = authorities
    if settings.kafka_user:
        found |= {
            "sasl.mechanism": _MECHANISM,
            "sasl.username": settings.kafka_user,
            "sasl.password": settings.kafka_password.get_secret_value(),
        }
    return found


def kafka_of_spark(settings: Settings) -> dict[str, str]:
    """The options of Spark's Kafka source and sink. The password is not among them, as Spark shows options in plans: it
    stands in the file of `jaas`, which the JVM is told of when it starts."""
    found = {"kafka.bootstrap.servers": settings.kafka_bootstrap_servers}
    if settings.kafka_tls or settings.kafka_user:
        found["kafka.security.protocol"] = _protocol(settings)
    if settings.kafka_tls and settings.tls_ca_file:
        found |= {"kafka.ssl.truststore.type": "PEM", "kafka.ssl.truststore.location": settings.tls_ca_file}
    if settings.kafka_user:
        found["kafka.sasl.mechanism"] = _MECHANISM
    return found


def jaas(settings: Settings) -> str | None:
    """The file by which a JVM's Kafka clients log in; None where they need not."""
    if not settings.kafka_user:
        return None
    password = settings.kafka_password.get_secret_value()
    if set(password) & set('"\\\n'):
        raise SettingsError(f"{PREFIX}KAFKA_PASSWORD has a quotation mark, a backslash or a line break in it")
    return (
        "KafkaClient {\n"
        "  org.apache.kafka.common.security.scram.ScramLoginModule required\n"
        f'  username="{settings.kafka_user}"\n'
        f'  password="{password}";\n'
        "};\n"
    )


def certificates(settings: Settings) -> str | None:
    """The file of those whose signature is trusted; None: those that the machine knows.

    Raises:
        SettingsError: it cannot be read, which each client would say in another way and some not at all.
    """
    if not settings.tls_ca_file:
        return None
    try:
        ssl.create_default_context(cafile=settings.tls_ca_file)
    except OSError as error:  # what holds no certificate, too
        raise SettingsError(f"{PREFIX}TLS_CA_FILE: {settings.tls_ca_file}: {error.strerror or error}") from None
    return settings.tls_ca_file


def postgres_tls(settings: Settings) -> ssl.SSLContext | None:
    """For pg8000; None where the settings do not ask for TLS."""
    return ssl.create_default_context(cafile=certificates(settings)) if settings.postgres_tls else None


def libpq(settings: Settings) -> dict[str, str]:
    """The same for psycopg2 and dbt, as the variables that their library reads."""
    if not settings.postgres_tls:
        return {}
    return {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": settings.tls_ca_file or "system"}


def postgres_role(service: Service) -> str:
    """As whom a part logs in to PostgreSQL where the servers are secured."""
    return f"sensorlake_{service}"


def trust(settings: Settings, environment: Mapping[str, str] = os.environ) -> None:
    """Let delta-rs know the storage's certificate, which it takes from no option but from this variable alone."""
    wanted = certificates(settings)
    if wanted and urlsplit(settings.s3_endpoint).scheme == "https" and environment.get("SSL_CERT_FILE") != wanted:
        os.environ["SSL_CERT_FILE"] = wanted


def _protocol(settings: Settings) -> str:
    """
    >>> _protocol(Settings(kafka_tls=True, kafka_user="me"))
    'SASL_SSL'
    """
    return ("SASL_" if settings.kafka_user else "") + ("SSL" if settings.kafka_tls else "PLAINTEXT")
