"""Where artefacts lie: a bucket, or a local folder in its place. Small objects, read and written whole."""

from pathlib import Path
from typing import Any, Protocol

from sensorlake import connections
from sensorlake.errors import ModelError
from sensorlake.settings import Settings


class Objects(Protocol):
    """Named objects; a name's parts are separated by slashes."""

    where: str

    def names(self, prefix: str) -> list[str]:
        """Names that begin with `prefix`, sorted."""

    def read(self, name: str) -> bytes | None:
        """The object's content; None where there is no such object."""

    def write(self, name: str, content: bytes) -> None: ...

    def create(self, name: str, content: bytes) -> bool:
        """As `write`, but only where there is no such object yet; False where there is."""


class Folder:
    """Objects in a local folder, for tests and for a machine without the object storage."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.where = str(root)

    def names(self, prefix: str) -> list[str]:
        found = (path.relative_to(self._root).as_posix() for path in self._root.rglob("*") if path.is_file())
        return sorted(name for name in found if name.startswith(prefix))

    def read(self, name: str) -> bytes | None:
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        self._place(name).write_bytes(content)

    def create(self, name: str, content: bytes) -> bool:
        try:
            with self._place(name).open("xb") as file:
                file.write(content)
        except FileExistsError:
            return False
        return True

    def _place(self, name: str) -> Path:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class Bucket:
    """Objects in a bucket of the storage that the lake lies in."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bucket = settings.models_bucket
        self._client: Any = None
        self.where = f"bucket {self._bucket} at {settings.s3_endpoint}"

    def names(self, prefix: str) -> list[str]:
        pages = self._ask("list_objects_v2", Prefix=prefix, paginate=True)
        return sorted(found["Key"] for page in pages for found in page.get("Contents", ()))

    def read(self, name: str) -> bytes | None:
        found = self._ask("get_object", Key=name, unless=("NoSuchKey", "404"))
        return None if found is None else found["Content"]

    def write(self, name: str, content: bytes) -> None:
        self._ask("put_object", Key=name, Body=content)

    def create(self, name: str, content: bytes) -> bool:
        refused = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
        return self._ask("put_object", Key=name, Body=content, IfNoneMatch="*", unless=refused) is not None

    def _ask(self, operation: str, *, unless: tuple[str, ...] = (), paginate: bool = False, **given: Any) -> Any:
        """The answer; None where the storage answers with one of the codes `unless`."""
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # noqa: PLC0415

        try:
            if paginate:
                return list(self._opened().get_paginator(operation).paginate(Bucket=self._bucket, **given))
            answer = getattr(self._opened(), operation)(Bucket=self._bucket, **given)
            # Read here, as the storage may go away in the middle.
            return answer | {"Content": answer["Body"].read()} if "Body" in answer else answer
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in unless:
                return None
            raise self._explained(error) from None
        except BotoCoreError as error:
            raise self._explained(error) from None

    def _explained(self, error: Exception) -> ModelError:
        return ModelError(
            f"the models' {self.where} cannot be used: {error}. Is the storage up (`sensorlake up`), and is there "
            "such a bucket (SENSORLAKE_MODELS_BUCKET) for this key?"
        )

    def _opened(self) -> Any:
        if self._client is None:
            import boto3  # type: ignore[import-untyped]  # noqa: PLC0415  half a second
            from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415

            session = boto3.session.Session(
                aws_access_key_id=self._settings.s3_access_key,
                aws_secret_access_key=self._settings.s3_secret_key.get_secret_value(),
                region_name="us-east-1",
            )
            config = Config(
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 3, "mode": "standard"},
                connect_timeout=5,
            )
            self._client = session.client(
                "s3",
                endpoint_url=self._settings.s3_endpoint,
                config=config,
                verify=connections.certificates(self._settings),
            )
        return self._client
