"""The release before, run from its own tree by the packages of today."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.peers.environments import uv
from sensorlake.settings import PREFIX
from tests.integration.stream.deployment import COMMAND

VERSION, COMMIT = "0.1.0", "108a29f8b451d4dea5bf59cd4fa438bfbe67509c"
ROOT = Path(__file__).parents[3]
SECONDS = 300.0


class Previous:
    """Commands of the release before."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree

    def complete(self) -> None:
        """Put beside its modules the packages that it needs and today's version does not."""
        gone = {name: version for name, version in packages(self.tree).items() if name not in packages(ROOT)}
        try:
            wanted = [f"{name}=={version}" for name, version in gone.items()]
            uv(
                "pip",
                "install",
                "--quiet",
                "--python",
                sys.executable,
                "--target",
                str(self._beside),
                "--no-deps",
                *wanted,
            )
        except BenchmarkError as error:
            pytest.skip(f"version {VERSION} needs {', '.join(gone)}: {error}")

    @property
    def _beside(self) -> Path:
        return self.tree / "packages"

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        done = self.try_to_run(*arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def try_to_run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return self._ended([*COMMAND, *arguments], variables)

    def start(self, *arguments: str, log: Path, **variables: str) -> "subprocess.Popen[bytes]":
        with log.open("ab") as file:
            return subprocess.Popen(
                [*COMMAND, *arguments], cwd=self.tree, env=self._environment(variables), stdout=file, stderr=file
            )

    def python(self, code: str, **variables: str) -> None:
        """Run lines of Python among its modules."""
        done = self._ended([sys.executable, "-c", code], variables)
        assert done.returncode == 0, done.stdout + done.stderr

    def _ended(self, command: list[str], variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=self.tree,
            env=self._environment(variables),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        """Its modules stand before those that are installed, and what it needs besides."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        # Its Java had 48 MB for compiled code, which all queries fill within a minute; now and then it then ended.
        java = {"JDK_JAVA_OPTIONS": "-XX:ReservedCodeCacheSize=240m"}
        return own | variables | java | {"PYTHONPATH": os.pathsep.join([str(self.tree), str(self._beside)])}


def extracted(folder: Path) -> Previous:
    """From the history of this clone; where that does not reach so far back, the test is skipped."""
    done = subprocess.run(
        [shutil.which("git") or "false", "-C", str(ROOT), "archive", COMMIT], capture_output=True, check=False
    )
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip() or "no git"
        pytest.skip(
            f"this clone does not hold version {VERSION}, commit {COMMIT[:7]} ({why}): `git fetch --unshallow` gets it"
        )
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    ours = packages(ROOT)
    differing = {name for name, version in packages(folder).items() if ours.get(name, version) != version}
    assert differing == set(), f"version {VERSION} needs an environment of its own, as it pins others of these"
    return Previous(folder)


def packages(tree: Path) -> dict[str, Any]:
    """What the lock of a tree pins; sensorlake itself is not among them."""
    with (tree / "uv.lock").open("rb") as file:
        return {
            each["name"]: each.get("version") for each in tomllib.load(file)["package"] if each["name"] != "sensorlake"
        }
