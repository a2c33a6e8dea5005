"""Disks: is there room for what comes?"""

from pathlib import Path

from stack import disks
from stack.disks import Disk
from stack.doctor.finding import Finding

AREA = "disk"
# Kafka keeps a week and the lake a month: an hour at 10,000 readings a second takes about 3 GB of both.
LEAST_BYTES = 5 * 2**30
LEAST_SHARE = 0.05


def findings(folder: Path) -> list[Finding]:
    """Those of the data folder's disks that are full or soon will be."""
    return [finding for disk in disks.of(folder) for finding in judged(disk)]


def judged(disk: Disk) -> list[Finding]:
    if disk.is_full:
        return [Finding(AREA, f"the disk at {disk.place} is full: {disk.room}", _why(disk), disks.REMEDY)]
    if disk.free >= LEAST_BYTES and disk.free >= LEAST_SHARE * disk.total:
        return []
    return [
        Finding(
            AREA,
            f"{disk.free / 2**30:.1f} GiB of {disk.total / 2**30:.0f} GiB are free at {disk.place}",
            _why(disk),
            "make room, set SENSORLAKE_DATA_DIR to a larger disk, or keep less: SENSORLAKE_RAW_RETENTION_DAYS",
        )
    ]


def _why(disk: Disk) -> str:
    held = ", ".join(disk.holds) or "Kafka, the stores and the stream's checkpoints"
    return f"what lies on it stops when it is full: {held}"
