"""Where things lie in the data folder, and what one start of the stack knows: ports and credentials."""

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sensorlake.errors import StackError
from sensorlake.settings import Settings
from stack.credentials import Credentials

# A Unix socket's path has 107 bytes; supervisord makes it under a longer name (".", the pid) first.
_SOCKET_PATH_LIMIT = 107 - 9

# Not as TMPDIR says: a login, cron and a service have different ones, and each would see no supervisor.
_TEMPORARY = Path("/tmp")  # noqa: S108

# Comments and expansions of supervisord, separators of Kafka.
_MISREAD = frozenset("%;#,\"'\\\n")


@dataclass(frozen=True)
class Layout:
    """The folders of one data folder; the same clone with another data folder is another stack."""

    root: Path

    @classmethod
    def of(cls, settings: Settings) -> "Layout":
        return cls(settings.data_dir.absolute())

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def ports_file(self) -> Path:
        return self.root / "ports.json"

    @property
    def supervisor_config(self) -> Path:
        return self.run / "supervisord.conf"

    @property
    def supervisor_log(self) -> Path:
        return self.run / "supervisord.log"

    @property
    def queries_file(self) -> Path:
        return self.run / "queries.json"

    def log_of(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def make(self) -> None:
        """Create the folders; what they hold is for their owner alone.

        Raises:
            StackError: the data folder cannot be written, or its name would be misread by a server.
        """
        if found := sorted(set(str(self.root)) & _MISREAD):
            raise StackError(
                f"the data folder {str(self.root)!r} has {' '.join(found)} in its path, which the configurations of "
                "the servers read as something else: set SENSORLAKE_DATA_DIR to a path without"
            )
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for folder in (self.run, self.logs):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StackError(
                f"cannot write the data folder {self.root}: {error.strerror}. "
                "Set SENSORLAKE_DATA_DIR to a folder of yours."
            ) from error

    def socket(self) -> Path:
        """The supervisor's socket: in the data folder, or under /tmp where that path would be too long.

        Raises:
            StackError: the folder there belongs to someone else.
        """
        path = self.run / "supervisor.sock"
        if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT:
            return path
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        folder = _TEMPORARY / f"sensorlake-{os.getuid()}-{name}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise StackError(
                f"{folder} is not a private folder of yours: remove it, or use a shorter SENSORLAKE_DATA_DIR"
            )
        return folder / "supervisor.sock"

    def remove_socket(self) -> None:
        """Remove the socket of a supervisor that has ended."""
        path = self.socket()
        path.unlink(missing_ok=True)
        if path.parent != self.run:
            path.parent.rmdir()


@dataclass(frozen=True)
class Stack:
    """What a service needs to know to be prepared, started and checked."""

    settings: Settings
    layout: Layout
    ports: Mapping[str, int]
    credentials: Credentials

    @property
    def scheme(self) -> str:
        """How the stores that speak HTTP are spoken to."""
        return "https" if self.settings.secure else "http"

    def data_of(self, name: str) -> Path:
        return self.layout.root / name
