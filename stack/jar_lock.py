"""`jars.lock`: which jars belong to which set, each with the sha256 that it must have.

Plain text, so that a change is easy to review: `[section]`, then one `organisation:name:version sha256` a line.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from sensorlake.errors import StackError

LOCK_FILE = Path(__file__).parent / "jars.lock"


@dataclass(frozen=True, order=True)
class Jar:
    organisation: str
    name: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.version}.jar"

    @property
    def line(self) -> str:
        return f"{self.organisation}:{self.name}:{self.version} {self.sha256}"


def parse(text: str) -> dict[str, list[Jar]]:
    """The jars of each section.

    Raises:
        StackError: naming the line that is not a coordinate with a sha256.
    """
    sections: dict[str, list[Jar]] = {}
    current: list[Jar] | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#", 1)[0].strip()
        if not line:
            continue
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], [])
            continue
        coordinates, _, digest = line.partition(" ")
        parts = coordinates.split(":")
        if current is None or len(parts) != 3 or len(digest) != 64:
            raise StackError(f"jars.lock, line {number}: expected `organisation:name:version sha256` in a [section]")
        current.append(Jar(parts[0], parts[1], parts[2], digest))
    return sections


def render(sections: dict[str, list[Jar]]) -> str:
    """The text of a lock file; `parse` reads it back."""
    head = "# Written by `make lock` from stack/jar_roots.py: coordinates and the sha256 that `make setup` demands.\n"
    blocks = [f"\n[{name}]\n" + "".join(f"{jar.line}\n" for jar in sorted(jars)) for name, jars in sections.items()]
    return head + "".join(blocks)


def read(path: Path = LOCK_FILE) -> dict[str, list[Jar]]:
    return parse(path.read_text(encoding="utf-8"))


def fingerprint(jars: list[Jar]) -> str:
    """A short name for exactly this set of jars."""
    return hashlib.sha256("\n".join(sorted(jar.line for jar in jars)).encode()).hexdigest()[:12]


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
