"""MinIO: S3-compatible storage for the lake, on one local drive."""

from pathlib import Path

import boto3  # type: ignore[import-untyped]
from botocore.client import BaseClient  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from sensorlake.errors import StackError
from stack import env_file, http_probe, servers
from stack.layout import Stack
from stack.program import STORE_NICENESS, Program
from stack.security import certificates
from stack.service import make_private


class Minio:
    name = "minio"

    def address(self, stack: Stack) -> str:
        return f"{stack.scheme}://127.0.0.1:{stack.ports['minio']}"

    def prepare(self, stack: Stack) -> Program:
        folder = make_private(stack.data_of(self.name))
        make_private(folder / "data")
        secrets = folder / "minio.env"
        env_file.write(
            secrets,
            {
                "MINIO_ROOT_USER": stack.credentials.s3_access_key,
                "MINIO_ROOT_PASSWORD": stack.credentials.s3_secret_key,
            }
            | _encryption(stack),
            comment="Read by MinIO at its start; written by `sensorlake up` from credentials.env.",
            mode=0o600,
        )
        # No browser: its console would open a second port. No update check: nothing here calls out.
        environment = {"MINIO_CONFIG_ENV_FILE": str(secrets), "MINIO_BROWSER": "off", "MINIO_UPDATE": "off"}
        command = [str(servers.find_minio()), "server", "--quiet", "--address", f"127.0.0.1:{stack.ports['minio']}"]
        command += ["--certs-dir", str(_certificates(stack)), str(folder / "data")]
        return Program(self.name, command, folder, environment, niceness=STORE_NICENESS)

    def is_ready(self, stack: Stack) -> bool:
        return (
            http_probe.status(f"{self.address(stack)}/minio/health/ready", authority=stack.settings.tls_ca_file) == 200
        )

    def after_start(self, stack: Stack) -> None:
        client = s3_client(
            self.address(stack),
            stack.credentials.s3_access_key,
            stack.credentials.s3_secret_key,
            authority=stack.settings.tls_ca_file or None,
        )
        wanted = {stack.settings.lake_bucket, stack.settings.models_bucket}
        try:
            existing = {found["Name"] for found in client.list_buckets()["Buckets"]}
            for bucket in sorted(wanted - existing):
                client.create_bucket(Bucket=bucket)
        except (ClientError, BotoCoreError) as error:
            raise StackError(f"minio is up, but its buckets {sorted(wanted)} cannot be made: {error}") from error
        finally:
            client.close()
        if stack.settings.secure:
            _make_users(stack, self.address(stack))


def _make_users(stack: Stack, address: str) -> None:
    from minio.error import MinioException  # noqa: PLC0415  only secured servers have users of their own

    from stack.security import minio_policies  # noqa: PLC0415

    try:
        minio_policies.ensure(stack.settings, address, stack.settings.tls_ca_file)
    except MinioException as error:
        raise StackError(f"minio is up, but its users cannot be made: {error}") from error


def _certificates(stack: Stack) -> Path:
    folder = stack.data_of("minio") / "certs"
    return certificates.of(stack.layout.root, "minio").folder if stack.settings.secure else folder


def _encryption(stack: Stack) -> dict[str, str]:
    """Every object is encrypted with a key of its own, and that with this one: who copies the disk has nothing."""
    if not stack.settings.secure:
        return {}
    return {
        "MINIO_KMS_SECRET_KEY": f"sensorlake:{stack.credentials.s3_kms_key}",
        "MINIO_KMS_AUTO_ENCRYPTION": "on",
    }


def s3_client(endpoint: str, access_key: str, secret_key: str, authority: str | None = None) -> BaseClient:
    """A client for this endpoint and these keys alone: nothing of ~/.aws or the AWS variables is looked at."""
    session = boto3.session.Session(
        aws_access_key_id=access_key, aws_secret_access_key=secret_key, region_name="us-east-1"
    )
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 5, "mode": "standard"})
    client: BaseClient = session.client("s3", endpoint_url=endpoint, config=config, verify=authority)
    return client
