"""A Go module of the module proxy, checked against its pinned hash and laid out so that it can be built.

It is built as the main module, not with `go install module@version`: then its own go.sum vouches for every dependency,
and a go.mod with `replace` lines is allowed too.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sensorlake.errors import StackError
from stack.builds import compiler


@dataclass(frozen=True)
class GoModule:
    path: str
    version: str
    sum: str


@dataclass(frozen=True)
class Workshop:
    """The scratch folder of one build: sources, caches, logs; kept when interrupted, removed when done."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        return {
            "GOMODCACHE": str(self.folder / "gomod"),
            "GOCACHE": str(self.folder / "gocache"),
            "GOTMPDIR": str(temporary),
            "GOFLAGS": "-modcacherw -buildvcs=false -mod=readonly",
            "GO111MODULE": "on",
            "GOWORK": "off",
        }

    def fetch(self, module: GoModule) -> Path:
        """Download the module; its folder in the module cache.

        Raises:
            StackError: it could not be got, or its hash is not the pinned one.
        """
        done = subprocess.run(
            ["go", "mod", "download", "-json", f"{module.path}@{module.version}"],
            cwd=self.folder,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            info = json.loads(done.stdout)
        except ValueError:
            info = {"Error": (done.stdout + done.stderr).strip()[-600:]}
        if info.get("Error"):
            raise StackError(f"the Go module {module.path}@{module.version} could not be fetched: {info['Error']}")
        if info["Sum"] != module.sum:
            raise StackError(
                f"the Go module {module.path}@{module.version} is not the pinned one: "
                f"{info['Sum']}, expected {module.sum}"
            )
        return Path(info["Dir"])

    def copy(self, source: Path, name: str) -> Path:
        """A writable copy of a folder of the module cache."""
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, copy_function=shutil.copyfile)
        return target

    def run(self, command: list[str], cwd: Path, log: str, said: Callable[[str], None], **extra: str) -> None:
        compiler.run(command, cwd=cwd, environment=self.environment | extra, log=self.folder / f"{log}.log", said=said)

    def count_packages(self, source: Path, package: str, tags: str, extra: dict[str, str]) -> int:
        """How many packages a build compiles at most."""
        done = subprocess.run(
            ["go", "list", "-deps", "-tags", tags, package],
            cwd=source,
            env=os.environ | self.environment | extra,
            capture_output=True,
            text=True,
            check=False,
        )
        return len(done.stdout.split())

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
