"""Disk: is there room for what comes?"""

import shutil
from pathlib import Path

from stack.doctor.finding import Finding

AREA = "disk"
# Kafka keeps a week and the lake a month: an hour at 10,000 readings a second takes about 3 GB of both.
LEAST_BYTES = 5 * 2**30
LEAST_SHARE = 0.05


def findings(folder: Path) -> list[Finding]:
    place = next(path for path in (folder, *folder.parents) if path.exists())
    usage = shutil.disk_usage(place)
    return judged(place, usage.free, usage.total)


def judged(place: Path, free: int, total: int) -> list[Finding]:
    if free >= LEAST_BYTES and free >= LEAST_SHARE * total:
        return []
    return [
        Finding(
            AREA,
            f"{free / 2**30:.1f} GiB of {total / 2**30:.0f} GiB are free at {place}",
            "Kafka and the stores stop when the disk is full, and the stream's checkpoints with them",
            "make room, set SENSORLAKE_DATA_DIR to a larger disk, or keep less: SENSORLAKE_RAW_RETENTION_DAYS",
        )
    ]
