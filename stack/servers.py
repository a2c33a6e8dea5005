"""Finds the programs of the servers: one already on this machine in a fitting version, else the one in the cache."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from sensorlake.errors import StackError
from stack.cache import cache_dir

MINIO_VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
INFLUXDB_VERSION = "v2.7.12"
POSTGRES_VERSION = "18.6.0"
OLDEST_POSTGRES = 14
_OLDEST_MINIO = "2023"


def cached(name: str, version: str) -> Path:
    return cache_dir() / "servers" / f"{name}-{version}"


def cached_minio() -> Path:
    return cached("minio", MINIO_VERSION) / "minio"


def cached_influxd() -> Path:
    return cached("influxd", INFLUXDB_VERSION) / "influxd"


def cached_postgres() -> Path:
    return cached("postgres", POSTGRES_VERSION) / "bin" / "postgres"


def has_minio() -> bool:
    return cached_minio().is_file() or installed_minio() is not None


def has_influxd() -> bool:
    return cached_influxd().is_file() or installed_influxd() is not None


def find_minio() -> Path:
    return installed_minio() or _from_cache(cached_minio(), "minio")


def find_influxd() -> Path:
    return installed_influxd() or _from_cache(cached_influxd(), "influxdb")


def installed_minio() -> Path | None:
    """A released MinIO on PATH, of 2023 or later."""
    path, said = _on_path("minio")
    found = re.search(r"RELEASE\.(\d{4})-", said)
    return path if found and found[1] >= _OLDEST_MINIO else None


def installed_influxd() -> Path | None:
    """An InfluxDB 2.7 (or a later 2.x) on PATH; 1.x and 3.x speak other APIs."""
    path, said = _on_path("influxd", "version")
    found = re.search(r"InfluxDB v?2\.(\d+)", said)
    return path if found and int(found[1]) >= 7 else None


def find_postgres(*, data_version: int | None = None) -> Path:
    """The folder that holds `postgres` and `initdb`.

    Args:
        data_version: major version of the data that is there already; only the same version can read it.

    Raises:
        StackError: none is here, or none that reads the data.
    """
    candidates = installed_postgres()
    if cached_postgres().is_file():
        candidates = [*candidates, (int(POSTGRES_VERSION.split(".", maxsplit=1)[0]), cached_postgres().parent)]
    if data_version is None and candidates:
        return candidates[0][1]
    for version, folder in candidates:
        if version == data_version:
            return folder
    if data_version is None:
        raise StackError("postgres is not set up: run `make setup` (or leave it out: WITHOUT=postgres)")
    raise StackError(
        f"the data folder was made by PostgreSQL {data_version}, which is not here any more "
        f"(here: {', '.join(str(version) for version, _ in candidates) or 'none'}).\n"
        f"Install PostgreSQL {data_version} (Debian: apt install postgresql-{data_version}), or move the postgres "
        "folder of the data folder away to begin anew."
    )


def postgres_data_version(data: Path) -> int | None:
    path = data / "PG_VERSION"
    return int(path.read_text(encoding="ascii").partition(".")[0]) if path.is_file() else None


@cache
def _installed_postgres() -> tuple[tuple[int, Path], ...]:
    folders = []
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    versioned = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(versioned, key=lambda path: path.parent.name.zfill(4), reverse=True)
    found: dict[Path, int] = {}
    for folder in folders:
        if folder not in found and (folder / "initdb").exists() and (folder / "postgres").exists():
            version = re.search(r"PostgreSQL\) (\d+)", _ask(folder / "postgres", "--version"))
            if version and int(version[1]) >= OLDEST_POSTGRES:
                found[folder] = int(version[1])
    return tuple((version, folder) for folder, version in found.items())


def installed_postgres() -> list[tuple[int, Path]]:
    """Every PostgreSQL >= 14 of PATH and /usr/lib/postgresql with its major version; the first is the preferred one."""
    return list(_installed_postgres())


def _on_path(name: str, question: str = "--version") -> tuple[Path | None, str]:
    found = shutil.which(name)
    return (Path(found), _ask(Path(found), question)) if found else (None, "")


@cache
def _ask(program: Path, question: str) -> str:
    try:
        return subprocess.run([program, question], capture_output=True, text=True, check=False, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _from_cache(path: Path, name: str) -> Path:
    if not path.is_file():
        raise StackError(f"{name} is not set up: run `make setup` (or leave it out: WITHOUT={name})")
    return path
