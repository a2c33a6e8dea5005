"""File modes: can another user of this machine read passwords, keys or data?"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from sensorlake.settings import Settings
from stack import env_file
from stack.doctor.finding import Finding

AREA = "file modes"
_SECRET_NAMES = ("*.env", "*.key", "*.jaas", "*.conf", "*.properties")
# Nothing in it is secret, and clients of other users may be pointed to it.
_OPEN = {"addresses.env"}
_SECRET_WORDS = ("PASSWORD", "SECRET", "TOKEN", "KEY")


def findings(settings: Settings, env: Path = Path(".env")) -> list[Finding]:
    """Files with secrets and folders with data that others may enter. `env` is the user's own file of settings."""
    root = settings.data_dir.absolute()
    return [*_folders(root), *(_open_file(path) for path in _secret_files(root, env) if _opened(path))]


def _folders(root: Path) -> Iterator[Finding]:
    opened = [path for path in sorted(root.glob("*")) if path.is_dir() and not path.is_symlink() and _opened(path)]
    if opened:
        named = ", ".join(f"{path.name} (mode {_mode(path):04o})" for path in opened)
        yield Finding(
            AREA,
            f"other users may enter folders of {root}: {named}",
            "readings, logs and the state of the stream lie in them",
            f"chmod go= {' '.join(str(path) for path in opened)}",
        )


def _open_file(path: Path) -> Finding:
    return Finding(
        AREA,
        f"{path} may be read by other users (mode {_mode(path):04o})",
        "a password or a key is in it",
        f"chmod 600 {path}, and if others work on this machine: give it new passwords (docs/security.md)",
    )


def _secret_files(root: Path, env: Path) -> list[Path]:
    """Configurations of the servers one and two folders down, the installation's own files, and `.env`."""
    found = {path for pattern in _SECRET_NAMES for depth in ("", "*/") for path in root.glob(depth + pattern)}
    if any(value and any(word in name for word in _SECRET_WORDS) for name, value in env_file.read(env).items()):
        found.add(env.absolute())
    return sorted(
        path for path in found if path.is_file() and path.name not in _OPEN and not _inside_closed(path, root)
    )


def _inside_closed(path: Path, root: Path) -> bool:
    """Is a folder between `root` and the file closed to others, so that its own mode does not matter?"""
    between = [parent for parent in path.parents if root in parent.parents]
    return any(not _opened(parent) for parent in between)


def _opened(path: Path) -> bool:
    return bool(_mode(path) & 0o077)


def _mode(path: Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)
