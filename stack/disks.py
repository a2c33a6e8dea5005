"""The disks that an installation lies on: how much room each has, and what stops where one is full."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# PostgreSQL takes as much at once for its log, and stops without it.
LEAST_BYTES = 16 * 2**20
LEAST_FILES = 100
# MinIO refuses to write while less of its disk is free.
MINIO_SHARE = 0.01
REMEDY = "Make room there; what stopped goes on by itself"
# What lies in the data folder beside the servers.
_FOLDERS = ("checkpoints", "run", "logs", "spark-local", "kafka", "minio", "postgres", "influxdb", "dagster")


@dataclass(frozen=True)
class Disk:
    """One file system; `holds`: the folders of the installation that lie on it. `files`: how many more it can hold."""

    place: Path
    holds: tuple[str, ...]
    free: int
    total: int
    files: int | None = None

    @property
    def is_full(self) -> bool:
        """Does something on it have to stop?"""
        least = max(LEAST_BYTES, MINIO_SHARE * self.total) if "minio" in self.holds else LEAST_BYTES
        return self.free < least or (self.files is not None and self.files < LEAST_FILES)

    @property
    def room(self) -> str:
        """
        >>> Disk(Path("/data"), (), 3 * 2**20, 64 * 2**20).room
        '3 of 64 MB free'
        """
        left = f"{self.free / 2**20:.0f} of {self.total / 2**20:.0f} MB free"
        return left if self.files is None or self.files >= LEAST_FILES else f"{left}, and {self.files} more files"

    @property
    def complaint(self) -> str | None:
        """What is to be said of a disk that is full."""
        if not self.is_full:
            return None
        held = f", which holds {', '.join(self.holds)}" if self.holds else ""
        return f"disk full: {self.room} at {self.place}{held}. {REMEDY}"


def of(root: Path) -> list[Disk]:
    """The disks of the data folder `root` and of what lies in it, or of the folder in which it would be made."""
    there = next(path for path in (root, *root.parents) if path.exists())
    return list(_by_disk(there, [path for name in _FOLDERS if (path := root / name).is_dir()]))


def _by_disk(root: Path, folders: Iterable[Path]) -> Iterator[Disk]:
    found: dict[int, tuple[Path, list[str]]] = {root.stat().st_dev: (root, [])}
    for folder in folders:
        # The folder itself may be readable for its own user alone; that it is there can be seen.
        _, holds = found.setdefault(folder.stat().st_dev, (folder, []))
        holds.append(folder.name)
    for place, holds in found.values():
        told = os.statvfs(place)
        files = told.f_favail if told.f_files else None  # some file systems do not count them
        yield Disk(place, tuple(holds), told.f_bavail * told.f_frsize, told.f_blocks * told.f_frsize, files)
