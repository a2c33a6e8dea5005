"""Small disks: file systems in memory, one on each folder that a test wants to fill to the last byte."""

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MEGABYTE = 2**20
LARGE = 6 * 1024 * MEGABYTE
_TICK = 0.02


class Disk:
    """One of them. It is large, and takes only the memory that its files need, until it is to be full."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _mount("-t", "tmpfs", "-o", f"size={LARGE},mode=0700", "tmpfs", str(folder))

    @contextmanager
    def full(self, headroom: int = 4 * MEGABYTE) -> Iterator[None]:
        """Within the block nothing fits on it: what somebody deletes is filled again at once."""
        _mount("-o", f"remount,size={shutil.disk_usage(self.folder).used + headroom}", str(self.folder))
        ballast, stop = self.folder / "ballast", threading.Event()
        filled = threading.Event()
        thread = threading.Thread(target=_fill, args=(ballast, stop, filled), daemon=True)
        thread.start()
        try:
            assert filled.wait(60), f"{self.folder} does not become full"
            yield
        finally:
            stop.set()
            thread.join()
            ballast.unlink()
            _mount("-o", f"remount,size={LARGE}", str(self.folder))

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True, capture_output=True)


class Disks:
    """Those of a package of tests. Where nothing may be mounted there are none, and `why_not` says so."""

    def __init__(self) -> None:
        self._made: dict[str, Disk] = {}
        self.why_not: str | None = None
        with tempfile.TemporaryDirectory() as folder:
            try:
                Disk(Path(folder)).close()
            except (OSError, subprocess.CalledProcessError) as error:
                self.why_not = f"no file system may be mounted here, so none can be filled: {error}"

    def mount(self, name: str, folder: Path) -> None:
        if self.why_not is None:
            self._made[name] = Disk(folder)

    def __getitem__(self, name: str) -> Disk:
        return self._made[name]

    def close(self) -> None:
        for disk in self._made.values():
            disk.close()


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise OSError(done.stderr.strip() or f"mount ended with status {done.returncode}")


def _fill(ballast: Path, stop: threading.Event, filled: threading.Event) -> None:
    file = os.open(ballast, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while True:
            for piece in (b"\0" * 65_536, b"\0" * 4096):
                with suppress(OSError):
                    while os.write(file, piece) == len(piece):
                        pass
            filled.set()
            if stop.wait(_TICK):
                return
    finally:
        os.close(file)
