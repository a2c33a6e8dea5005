"""The lines of a text file, one at a time, with every fault tied to its line number."""

import csv
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NoReturn

from sensorlake.errors import InputFileError

MAX_LINE_BYTES = 1_048_576


def fault(path: Path, line: int, reason: str) -> NoReturn:
    """
    Raises:
        InputFileError: always.
    """
    raise InputFileError(f"{path}:{line}: {reason}")


def records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of each record that is not blank; a record that spans lines has the number of its last one.

    Raises:
        InputFileError: the file cannot be opened, is not UTF-8 text or not CSV.
    """
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):  # opening a folder says so by itself
            raise InputFileError(f"{path}: is no regular file, which can be read twice; save it as a file first")
        with path.open("rb") as file:
            reader = csv.reader(_lines(path, file), strict=True)
            while True:
                try:
                    cells = next(reader, None)
                except csv.Error as error:
                    fault(path, max(1, reader.line_num), f"not valid CSV: {error}")
                if cells is None:
                    return
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, cells
    except OSError as error:
        raise InputFileError(f"{path}: {error.strerror or error}") from None


def _lines(path: Path, file: IO[bytes]) -> Iterator[str]:
    number = 0
    while raw := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            fault(path, number, f"the line is longer than {MAX_LINE_BYTES} bytes")
        if b"\0" in raw:
            fault(path, number, "holds a zero byte, so this is not a text file")
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            fault(path, number, f"is not UTF-8 text (byte {error.start + 1} of the line)")
