"""What a published model says of itself: what made it, from what, how good it is; its files' hashes; a signature.

The signature is HMAC-SHA256 (RFC 2104) over the manifest without it, as JSON with sorted keys and no spaces. As the
manifest holds the hash of every file, it vouches for those, too.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from sensorlake.errors import ModelError

FILE_NAME = "manifest.json"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """`files`: path within the version's folder -> SHA-256, hexadecimal."""

    name: str
    version: int
    created_at: datetime
    code_version: str
    training_set: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    signature: str = ""

    @property
    def label(self) -> str:
        """Name and version in one word, as scores and anomalies carry it.

        >>> Manifest("isolation_forest", 3, datetime(2026, 11, 1), "0.1.0").label
        'isolation_forest/3'
        """
        return f"{self.name}/{self.version}"

    def signed(self, key: str) -> "Manifest":
        """
        Raises:
            ModelError: there is no key to sign with, or a figure is no number.
        """
        return Manifest(**{**vars(self), "signature": _signature(self, _usable(key))})

    def require_signature(self, key: str) -> None:
        """
        Raises:
            ModelError: it was not signed with this key, or was changed since.
        """
        if not hmac.compare_digest(_signature(self, _usable(key)), self.signature):
            fault = "not signed with this key, or was changed since" if self.signature else "not signed"
            raise ModelError(
                f"model {self.label} is {fault}: it is not used. If the key is another one now "
                "(SENSORLAKE_MODEL_SIGNING_KEY), give the old one back or train anew"
            )

    def to_json(self) -> str:
        return json.dumps({**_plain(self), "signature": self.signature}, indent=2, sort_keys=True)

    @classmethod
    def of_json(cls, text: str | bytes, where: str) -> "Manifest":
        """
        Raises:
            ModelError: that is no manifest; `where` stands in the message.
        """
        try:
            found = json.loads(text)
            made = cls(
                name=str(found["name"]),
                version=int(found["version"]),
                created_at=datetime.fromisoformat(found["created_at"]),
                code_version=str(found["code_version"]),
                training_set=dict(found["training_set"]),
                parameters=dict(found["parameters"]),
                metrics=dict(found["metrics"]),
                files={str(path): str(digest) for path, digest in found["files"].items()},
                signature=str(found["signature"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{where} is no manifest of a model ({error!r}): the model is not used") from None
        if strange := [path for path in made.files if not _inside(path)]:
            raise ModelError(f"{where} names files outside its folder ({strange[0]}): the model is not used")
        return made


def require_files(manifest: Manifest, folder: Path) -> None:
    """
    Raises:
        ModelError: a file of the manifest is missing in `folder` or has another content.
    """
    for path, digest in manifest.files.items():
        file = folder / path
        if not file.is_file():
            raise ModelError(f"model {manifest.label} lacks its file {path}: it is not used; publish it anew")
        if not hmac.compare_digest(sha256_of(file), digest):
            raise ModelError(
                f"file {path} of model {manifest.label} is damaged or was changed: it is not used; publish it anew"
            )


def sha256_of(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _signature(manifest: Manifest, key: str) -> str:
    try:
        text = json.dumps(_plain(manifest), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"model {manifest.label} cannot be signed: a figure of its manifest is no JSON ({error})"
        ) from None
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _plain(manifest: Manifest) -> dict[str, Any]:
    values = {name: value for name, value in vars(manifest).items() if name != "signature"}
    return values | {"created_at": manifest.created_at.isoformat()}


def _usable(key: str) -> str:
    if not key:
        raise ModelError(
            "there is no key that models are signed with: set SENSORLAKE_MODEL_SIGNING_KEY, "
            "or let `sensorlake up` make one"
        )
    return key


def _inside(path: str) -> bool:
    parts = PurePosixPath(path)
    return bool(path) and not parts.is_absolute() and ".." not in parts.parts and "\\" not in path
