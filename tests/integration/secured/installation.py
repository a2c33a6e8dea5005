"""A secured installation of the tests' own, what its parts log in with, and its secrets."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pg8000.native
import pytest

from lakehouse import postgres, registry
from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX, Service, Settings
from stack import credentials, env_file, selection, up
from stack.security import logins
from streaming import topics

_SECRET = ("PASSWORD", "TOKEN", "SECRET_KEY", "KMS_KEY", "SIGNING_KEY")


@contextmanager
def stack(folder: Path) -> Iterator[Settings]:
    """Within the block four secured servers run in `folder`, with topics and registry; the operator's settings."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(variable)
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SECURE", "1")
        own = settings_module.load(folder)
        try:
            ready = up.bring_up(own, list(selection.SERVERS))
            topics.ensure(ready)
            registry.migrate(ready)
            # Said once, as the data folder remembers it.
            patch.delenv("SECURE")
            yield ready
        finally:
            # Put there by sensorlake.connections; patched away, it would come back with the end of the patch.
            os.environ.pop("SSL_CERT_FILE", None)
            up.bring_down(own)


def of(settings: Settings, service: Service) -> Settings:
    """The installation as one part of sensorlake sees it."""
    return settings_module.load(settings.data_dir, service)


@contextmanager
def s3(settings: Settings) -> Iterator:
    client = boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
        region_name="us-east-1",
        verify=settings.tls_ca_file,
    )
    try:
        yield client
    finally:
        client.close()


@contextmanager
def database(settings: Settings) -> Iterator[pg8000.native.Connection]:
    connection = postgres.connect(settings, "test")
    try:
        yield connection
    finally:
        connection.close()


def secrets(settings: Settings) -> set[str]:
    """Every password, key and token that was generated for it."""
    files = [settings.credentials_file, credentials.servers_file(settings)]
    files += [settings.credentials_of(service) for service in logins.USES]
    known = [pair for path in files for pair in env_file.read(path).items()]
    return {value for name, value in known if name.endswith(_SECRET)}
