"""The store of models: `<name>/<version>/`, each version published once and never changed.

Publishing, step by step, and what a crash leaves behind:
1. The number is claimed: an object `claim` that only one publisher can create. Left behind: a number that is skipped.
2. The files are written. Left behind: files without a manifest, which no reader looks at.
3. The manifest is written, last: from then on there is such a version.

Reading trusts nothing: it verifies the manifest's signature, that it is the manifest of this name and version, and the
hash of each file. Whoever uses a model keeps the one in hand until `fetch` has returned another, so the last good one
stays in force.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from lakehouse.models import manifest as manifests
from lakehouse.models.manifest import Manifest
from lakehouse.models.objects import Bucket, Folder, Objects
from sensorlake.errors import ModelError
from sensorlake.settings import Settings

ISOLATION_FOREST = "isolation_forest"
LSTM_AUTOENCODER = "lstm_autoencoder"
ONNX_FILE = "model.onnx"
_CLAIM = "claim"


@dataclass(frozen=True)
class ModelStore:
    objects: Objects
    key: str = field(repr=False)

    @classmethod
    def of(cls, settings: Settings) -> "ModelStore":
        return cls(Bucket(settings), settings.model_signing_key.get_secret_value())

    @classmethod
    def in_folder(cls, root: str | Path, key: str) -> "ModelStore":
        """A store in a local folder."""
        return cls(Folder(Path(root)), key)

    def names(self) -> list[str]:
        """Names of models with a published version."""
        return sorted({parts[0] for parts in self._manifests("")})

    def versions(self, name: str) -> list[int]:
        """The published versions of a model, the newest last; those that would be refused are among them."""
        return sorted(int(parts[1]) for parts in self._manifests(f"{name}/"))

    def manifest(self, name: str, version: int) -> Manifest:
        """
        Raises:
            ModelError: there is no such version, or its manifest is not signed with our key.
        """
        where = f"{name}/{version}/{manifests.FILE_NAME}"
        content = self.objects.read(where)
        if content is None:
            known = ", ".join(map(str, self.versions(name))) or "none"
            raise ModelError(
                f"there is no version {version} of model {name} in {self.objects.where}; there are: {known}"
            )
        found = Manifest.of_json(content, where)
        found.require_signature(self.key)
        if (found.name, found.version) != (name, version):
            raise ModelError(f"{where} is the manifest of {found.label}: the model is not used")
        return found

    def publish(
        self,
        name: str,
        folder: Path,
        *,
        training_set: Mapping[str, Any],
        parameters: Mapping[str, Any],
        metrics: Mapping[str, Any],
        code_version: str = "",
        created_at: datetime | None = None,
    ) -> Manifest:
        """Publish all files of `folder` as the next version of model `name`; sensorlake's own version is that of the
        code, unless the caller knows better.

        Raises:
            ModelError: the folder is empty, the figures are no JSON, or the storage cannot be used.
        """
        files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        if not files or {manifests.FILE_NAME, _CLAIM} & files.keys():
            raise ModelError(f"{folder} holds no model that could be published as {name}: {sorted(files) or 'no file'}")
        draft = Manifest(
            name=name,
            version=0,
            created_at=created_at or datetime.now(UTC),
            code_version=code_version or version_of("sensorlake"),
            training_set=dict(training_set),
            parameters=dict(parameters),
            metrics=dict(metrics),
            files={path: manifests.sha256_of(file) for path, file in files.items()},
        )
        draft.signed(self.key)  # what cannot be signed is refused before anything is written
        made = replace(draft, version=self._claim(name)).signed(self.key)
        for path, file in files.items():
            self.objects.write(f"{made.label}/{path}", file.read_bytes())
        self.objects.write(f"{made.label}/{manifests.FILE_NAME}", made.to_json().encode())
        return made

    def fetch(self, name: str, version: int, into: Path) -> Path:
        """Bring a version to the folder `into`/name/version, verified; what lies there already is verified again.

        The folder appears at once and whole, or not at all.

        Raises:
            ModelError: it is missing, unsigned, changed or damaged; nothing was put in place.
        """
        found = self.manifest(name, version)
        place = into / name / str(version)
        if place.is_dir():
            try:
                manifests.require_files(found, place)
            except ModelError:
                shutil.rmtree(place)
            else:
                return place
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".fetching-") as temporary:
            # A folder that can be renamed while the temporary one is still cleared away.
            made = Path(temporary) / str(version)
            for path in found.files:
                self._bring(f"{found.label}/{path}", made / path)
            manifests.require_files(found, made)
            (made / manifests.FILE_NAME).write_text(found.to_json(), encoding="utf-8")
            try:
                made.replace(place)
            except OSError:
                if not place.is_dir():  # else another process was quicker with the same files
                    raise
        return place

    def require_whole(self, name: str, version: int) -> Manifest:
        """The manifest of a version whose files are all there and as they were.

        Raises:
            ModelError: they are not; nothing may be put in force that would be refused.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.fetch(name, version, Path(folder))
        return self.manifest(name, version)

    def _bring(self, name: str, file: Path) -> None:
        content = self.objects.read(name)
        if content is None:
            return  # the verification says so, with the model's name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def _claim(self, name: str) -> int:
        """The next number that nobody else has."""
        taken = [0, *(int(found.split("/")[1]) for found in self.objects.names(f"{name}/") if _is_version(found))]
        number = max(taken) + 1
        while not self.objects.create(f"{name}/{number}/{_CLAIM}", b""):
            number += 1
        return number

    def _manifests(self, prefix: str) -> list[list[str]]:
        found = (name.split("/") for name in self.objects.names(prefix) if _is_version(name))
        return [parts for parts in found if parts[2:] == [manifests.FILE_NAME]]


def _is_version(name: str) -> bool:
    parts = name.split("/")
    return len(parts) >= 3 and parts[1].isascii() and parts[1].isdigit() and int(parts[1]) > 0
