"""The file in which the stream says how it is, for `sensorlake status`: whole at any moment, and written also while the
disk is full, as it then has most to say.

Two files take turns. Each keeps the room that it once took: the one that is not read is written over in its place, and
then they change names.
"""

import contextlib
from pathlib import Path

# More than a report of all queries with their errors; what is left is filled with blanks.
ROOM = 32_768


def write(path: Path, text: str) -> None:
    """
    Raises:
        OSError: there is no room for it yet, or none to be kept (a file system that writes nothing in place).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    spare, former = path.with_suffix(".new"), path.with_suffix(".old")
    data = text.encode().ljust(ROOM)
    spare.touch(mode=0o600)
    with spare.open("r+b") as file:  # not emptied first: that would give its room back
        file.write(data)
        file.truncate()
    with contextlib.suppress(OSError):  # the first one, or a file system without links: then both are new each time
        former.unlink(missing_ok=True)
        former.hardlink_to(path)
    spare.replace(path)
    with contextlib.suppress(FileNotFoundError):
        former.replace(spare)
    if not spare.exists():  # after the first report: the room of the second
        spare.touch(mode=0o600)
        spare.write_bytes(b" " * ROOM)
