"""Starts influxd so that it does not write on in a log of writes that was cut off.

    python -m stack.influxdb_start ENGINE COMMAND...

After a kill or a full disk the last file of that log may end in the middle of an entry. influxd opens it for writing at
its end, and only then cuts the piece off: between the two stays a hole, and whoever reads the file at the next start
takes the hole for its end. All that was written behind it, and confirmed, would be gone. Behind an empty file it begins
a new one (a later number, InfluxDB 2.7).
"""

import os
import sys
from pathlib import Path


def begin_new_files(engine: Path) -> None:
    """Put an empty file behind the last one of each shard."""
    for shard in engine.glob("wal/*/*/*/"):
        numbers = [
            int(file.stem[1:]) for file in shard.glob("_*.wal") if file.stem[1:].isdigit() and file.stat().st_size
        ]
        if numbers:
            (shard / f"_{max(numbers) + 1:05d}.wal").touch(mode=0o600)


if __name__ == "__main__":
    begin_new_files(Path(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  as its own process, which signals reach
