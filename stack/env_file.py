"""Files of `NAME=value` lines, the form that settings, MinIO and a shell read alike."""

import os
from pathlib import Path


def parse(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def read(path: Path) -> dict[str, str]:
    """The file's variables; none where there is no file."""
    return parse(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write(path: Path, variables: dict[str, str], *, comment: str, mode: int = 0o644) -> None:
    """Replace the file in one step; a secret one (`mode=0o600`) is at no time readable by others."""
    text = f"# {comment}\n" + "".join(f"{name}={value}\n" for name, value in variables.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    new.chmod(mode)
    new.replace(path)
