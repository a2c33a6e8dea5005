"""Running a program as nobody, for PostgreSQL, which refuses to run as root."""

import os
import subprocess
from functools import cache
from pathlib import Path

from sensorlake.errors import StackError

_NOBODY = 65534
_UNSHARE = ["unshare", "-U", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}"]
_SETPRIV = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]


def without_root(program: Path, folder: Path) -> list[str]:
    """What to put before `program`, working in `folder`, so that it does not run as root; nothing for ordinary users.

    A user namespace comes first: in it root is nobody, yet files stay root's, so a clone in a 0700 home works.
    Where namespaces are forbidden (in some containers) nobody itself is used, and owns the folder.

    Raises:
        StackError: neither way works here.
    """
    if os.getuid() != 0:
        return []
    if _works(tuple(_UNSHARE)):
        return list(_UNSHARE)
    if not _works(tuple(_SETPRIV)):
        raise StackError(
            "PostgreSQL does not run as root, and neither `unshare -U` nor `setpriv --reuid` works here.\n"
            "Run sensorlake as an ordinary user, or leave PostgreSQL out: WITHOUT=postgres"
        )
    for place, variable in ((folder, "SENSORLAKE_DATA_DIR"), (program, "XDG_CACHE_HOME")):
        closed = next((parent for parent in place.resolve().parents if not parent.stat().st_mode & 0o001), None)
        if closed:
            raise StackError(
                f"PostgreSQL does not run as root, and the user it runs as instead cannot enter {closed} (mode 0700).\n"
                f"Set {variable} to a folder outside it, run `chmod o+x {closed}`, or use WITHOUT=postgres"
            )
    hand_over(folder)
    return list(_SETPRIV)


def hand_over(path: Path) -> None:
    """Give `path` to the user that `without_root` switches to, where that is another one."""
    if os.getuid() == 0 and not _works(tuple(_UNSHARE)):
        os.chown(path, _NOBODY, _NOBODY)


@cache
def _works(prefix: tuple[str, ...]) -> bool:
    try:
        return subprocess.run([*prefix, "true"], capture_output=True, check=False, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
