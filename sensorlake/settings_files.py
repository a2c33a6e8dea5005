"""Where each setting stands in the files of settings, so that a fault is told with file and line."""

from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import NoReturn

from dotenv.parser import Binding, parse_stream

from sensorlake.errors import SettingsError


def places(files: Iterable[Path], prefix: str) -> dict[str, str]:
    """Each variable with `prefix` -> `FILE:LINE`, in the last of the files that names it. Files that are not there are
    left out, and so are folders: many call that of a virtual environment `.env`.

    Raises:
        SettingsError: a file cannot be read, is no text, or has a line that sets nothing or sets a variable again. It
            names file, line and reason, and never a value.
    """
    found: dict[str, str] = {}
    for file in files:
        if file.is_file():
            found |= _places(file, prefix)
    return found


def _places(file: Path, prefix: str) -> dict[str, str]:
    found: dict[str, int] = {}
    for binding in parse_stream(StringIO(_text(file))):
        line = _line(binding)
        if binding.error:
            _fault(file, line, "cannot be read: a line is NAME=VALUE, and a quote that is opened is closed")
        name = (binding.key or "").upper()
        if not name.startswith(prefix):
            continue
        if binding.value is None:
            _fault(file, line, f"{name} has no value; write {name}=VALUE")
        if name in found:
            _fault(file, line, f"{name} stands in line {found[name]} already; take one of them away")
        found[name] = line
    return {name: f"{file}:{line}" for name, line in found.items()}


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror or error}") from None
    for number, line in enumerate(content.split(b"\n"), start=1):
        if b"\0" in line:
            _fault(file, number, "holds a zero byte, so this is not a text file")
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            _fault(file, number, f"is not UTF-8 text (byte {error.start + 1} of the line)")
    return content.decode("utf-8")


def _line(binding: Binding) -> int:
    """The blank lines before a line are counted to it by the parser."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")


def _fault(file: Path, line: int, reason: str) -> NoReturn:
    raise SettingsError(f"{file}:{line}: {reason}")
