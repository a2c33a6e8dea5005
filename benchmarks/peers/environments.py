"""The peers' own virtual environments: in the cache, made by the benchmark itself, complete or not there at all."""

import shutil
import subprocess
from pathlib import Path

from benchmarks.errors import BenchmarkError
from stack import cache
from stack.bootstrap import wanted_uv

REQUIREMENTS = {
    "flink": ("apache-flink==2.2.1",),
    "quix": ("quixstreams==3.28.0", "orjson==3.11.4"),
}
_PYTHON = "3.11"  # the newest that apache-flink has wheels for
_SECONDS = 900


def ensure(peer: str) -> Path:
    """The Python of the peer's environment, made if it is not there.

    Raises:
        BenchmarkError: its packages could not be installed.
    """
    wanted = REQUIREMENTS[peer]
    name = "-".join([peer, *(requirement.partition("==")[2] for requirement in wanted)])
    final = cache.cache_dir() / "peers" / name
    with cache.locked(f"peer-{peer}"):
        if not (final / "complete").is_file():
            # In its final place, as the scripts of an environment hold its path; the mark comes last.
            shutil.rmtree(final, ignore_errors=True)
            uv("venv", "--python", _PYTHON, str(final))
            uv("pip", "install", "--python", str(_python(final)), *wanted)
            (final / "complete").touch()
    return _python(final)


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def uv(*arguments: str) -> None:
    """Run uv.

    Raises:
        BenchmarkError: it is not here, or fails.
    """
    own = cache.cache_dir() / "tools" / f"uv-{wanted_uv()}" / "uv"
    program = str(own) if own.is_file() else shutil.which("uv")
    if program is None:
        raise BenchmarkError("uv is not here, which makes the peers' environments: run `make setup`")
    made = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False)
    if made.returncode:
        raise BenchmarkError(f"uv {' '.join(arguments[:2])} failed: {made.stderr.strip()[-800:]}")
