"""What set-up needs that it cannot bring itself: checked before anything is fetched, every missing tool in one message.

Only the standard library is imported here: it runs before anything is installed.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

Version = tuple[int, ...]


@dataclass(frozen=True)
class Tool:
    """A program to compile with, from `minimum` on; `install` says how to get it."""

    name: str
    minimum: Version
    question: str
    install: str


GO = Tool(
    "go",
    (1, 23),
    "version",
    "Debian 13, Ubuntu 25.04: apt install golang-go; elsewhere unpack an archive of https://go.dev/dl to /usr/local "
    "and put /usr/local/go/bin on PATH",
)
CARGO = Tool(
    "cargo",
    (1, 72),
    "--version",
    "Debian 13, Ubuntu 24.04: apt install cargo; elsewhere use https://rustup.rs",
)
GCC = Tool("gcc", (8,), "--version", "Debian, Ubuntu: apt install gcc libc6-dev; Fedora: dnf install gcc")

# What each server is compiled with, where it has to be.
NEEDED = {"minio": (GO,), "influxdb": (GO, CARGO, GCC)}
PROGRAMS = {"minio": "a released minio", "influxdb": "an influxd 2.7"}


def missing(tools: Sequence[Tool], found: Callable[[Tool], Version | None] | None = None) -> list[str]:
    """One line for each tool that is not here or too old."""
    found = found or version_of
    lines = []
    for tool in tools:
        version = found(tool)
        if version is None or version < tool.minimum:
            here = "not found" if version is None else f"{_dotted(version)} is too old"
            lines.append(f"{tool.name} >= {_dotted(tool.minimum)}: {here}. {tool.install}")
    return lines


def explain(lacking: dict[str, list[str]]) -> str:
    """The whole message: what is missing for which server, and the other ways out."""
    blocks = []
    for service, lines in lacking.items():
        blocks.append(f"{service} has to be compiled here, and this is missing:")
        blocks += [f"  - {line}" for line in lines]
    names = ",".join(lacking)
    programs = " or ".join(PROGRAMS[service] for service in lacking)
    target, but = ("setup", "; the demo needs minio") if "minio" in lacking else ("demo", "")
    blocks += [
        "Install that and run the same command again. Other ways out:",
        f"  - put {programs} on PATH: it is used as it is",
        f"  - leave it out: WITHOUT={names} make {target}   (and the same WITHOUT for each later command{but})",
    ]
    return "\n".join(blocks)


@cache
def version_of(tool: Tool) -> Version | None:
    path = shutil.which(tool.name)
    if path is None:
        return None
    try:
        said = subprocess.run([path, tool.question], capture_output=True, text=True, check=False, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    # gcc names its distribution's package version first, in brackets; the version itself ends the line
    numbers = re.findall(r"(\d+(?:\.\d+)+)", said.partition("\n")[0])
    return tuple(int(part) for part in (numbers[-1] if tool is GCC else numbers[0]).split(".")) if numbers else None


def _dotted(version: Version) -> str:
    return ".".join(str(part) for part in version)
