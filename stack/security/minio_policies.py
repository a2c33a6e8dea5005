"""Who may do what in the object storage: a user for each part of sensorlake, with a policy of its buckets."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider

from sensorlake.settings import Service, Settings
from stack.security import logins

_LOOK = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
_READ = ("s3:GetObject",)
_WRITE = (*_READ, "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")


def ensure(settings: Settings, endpoint: str, authority: str) -> None:
    """Have the users with the secrets of their files, each with its policy. Harmless when done before.

    Raises:
        minio.error.MinioException: the storage refuses.
    """
    admin = MinioAdmin(
        endpoint=urlsplit(endpoint).netloc,
        credentials=StaticProvider(settings.s3_access_key, settings.s3_secret_key.get_secret_value()),
        http_client=urllib3.PoolManager(ca_certs=authority, timeout=10, retries=False),
    )
    for service, by_bucket in policies(settings).items():
        login = logins.read(settings, service)
        admin.policy_add(f"sensorlake-{service}", policy=policy(by_bucket))
        admin.user_add(login["s3_access_key"], login["s3_secret_key"])
        admin.policy_set(f"sensorlake-{service}", user=login["s3_access_key"])


def policies(settings: Settings) -> Mapping[Service, Mapping[str, tuple[str, ...]]]:
    """Part -> bucket -> what it may do with the objects in it. The stream uses models and makes none."""
    lake, models = settings.lake_bucket, settings.models_bucket
    return {
        "stream": {lake: _WRITE, models: _READ},
        "orchestration": {lake: _WRITE, models: _WRITE},
        "serving": {lake: _READ, models: _READ},
    }


def policy(by_bucket: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """The document that S3 knows as a policy."""
    statements = []
    for bucket, actions in by_bucket.items():
        place = f"arn:aws:s3:::{bucket}"
        statements.append({"Effect": "Allow", "Action": list(_LOOK), "Resource": [place]})
        statements.append({"Effect": "Allow", "Action": list(actions), "Resource": [f"{place}/*"]})
    return {"Version": "2012-10-17", "Statement": statements}
