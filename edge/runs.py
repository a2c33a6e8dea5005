"""Recorded runs on disk: a JSON file that lists them, and one wide CSV file each.

    {"pump/valve-1.csv": {"set": "pump", "train_rows": 400}}

`train_rows`: how many rows from the start a detector may take as normal. `set` groups runs in reports.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.csv_file import CsvFile
from edge.csv_lines import fault, records
from sensorlake.errors import InputFileError


@dataclass(frozen=True)
class Run:
    """One run; `name` is the path of its file below the folder of inputs."""

    name: str
    path: Path
    group: str
    train_rows: int


@dataclass(frozen=True)
class Recording:
    """The rows of a file: `time` in microseconds since 1970, shape (rows,); `value`, shape (rows, metrics), NaN where
    a cell is empty."""

    metrics: tuple[str, ...]
    time: NDArray[np.int64]
    value: NDArray[np.float64]


def listed(path: Path, inputs: Path) -> list[Run]:
    """The runs that the JSON file `path` lists, with their files below `inputs`.

    Raises:
        InputFileError: naming the file, its line, the run and the reason.
    """
    text = _text(path)
    try:
        given = json.loads(text, object_pairs_hook=_Members)
    except json.JSONDecodeError as error:
        fault(path, error.lineno, f"not valid JSON: {error.msg}")
    except (RecursionError, ValueError):  # Python reads no whole number of over 4300 digits
        raise InputFileError(f"{path}: nested too deep, or a number of too many digits") from None
    if not isinstance(given, _Members) or not given:
        fault(path, 1, "an object with one entry a run is needed, the file of a run as its name")
    found: dict[Path, Run] = {}
    for name, entry in given:
        line = _line(text, name)
        run = _run(path, line, inputs, name, entry)
        if run.path in found:
            fault(path, line, f"the run {name!r} stands there twice")
        found[run.path] = run
    return list(found.values())


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object as they stand, as a dictionary would keep the last of a name without a word."""


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputFileError(f"{path}: {error.strerror or error}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fault(path, content.count(b"\n", 0, error.start) + 1, "is not UTF-8 text")


def _line(text: str, name: str) -> int:
    """The line of the last place where a name is written; 1 where it has escapes."""
    place = text.rfind(f'"{name}"')
    return text.count("\n", 0, max(place, 0)) + 1


def _run(path: Path, line: int, inputs: Path, name: str, entry: Any) -> Run:
    members = entry if isinstance(entry, _Members) else _Members()
    known = dict(members)
    if len(known) < len(members):
        fault(path, line, f"{name!r} says something twice: {', '.join(sorted(key for key, _ in members))}")
    rows = known.get("train_rows")
    if not isinstance(rows, int) or isinstance(rows, bool) or rows < 0:
        fault(path, line, f"{name!r} needs `train_rows`, a whole number from 0")
    group = known.get("set", "")
    if not isinstance(group, str) or not group.isprintable() or group.startswith(".") or "/" in group:
        fault(path, line, f"the `set` of {name!r} must be text that can be the name of a file")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        fault(path, line, f"{name!r} must lie below the folder of inputs")
    file = inputs / name
    if not os.path.isfile(file):  # noqa: PTH113  Path.is_file raises where a name is too long
        fault(path, line, f"there is no file {file} for the run {name!r}")
    return Run(name, file, group, rows)


def read(run: Run) -> Recording:
    """All rows of a run's file, in the file's order.

    Raises:
        InputFileError: naming file, line and reason.
    """
    rows = list(CsvFile(run.path, device=run.name).rows())
    if not rows:
        raise InputFileError(f"{run.path}: holds no row")
    if run.train_rows > len(rows):
        raise InputFileError(f"{run.path}: has {len(rows)} rows, and `train_rows` of its run says {run.train_rows}")
    if rows[0].long:
        fault(run.path, 1, "a wide file is needed, with one column a metric")
    columns = {name: place for place, name in enumerate(dict.fromkeys(name for row in rows for name in row.values))}
    if not columns:
        raise InputFileError(f"{run.path}: holds no value")
    value = np.full((len(rows), len(columns)), np.nan)
    for place, row in enumerate(rows):
        for name, cell in row.values.items():
            value[place, columns[name]] = cell
    return Recording(tuple(columns), np.array([row.time for row in rows], dtype=np.int64), value)


def labels(run: Run) -> NDArray[np.bool_]:
    """The column `anomaly` of a run's file: which rows are abnormal. No detector is ever shown it.

    Raises:
        InputFileError: naming file, line and reason.
    """
    lines = records(run.path)
    line, header = next(lines, (1, []))
    names = [name.strip() for name in header]
    if "anomaly" not in names:
        fault(run.path, line, "the header has no column anomaly, so verdicts cannot be compared with it")
    place = names.index("anomaly")
    found = []
    for line, cells in lines:
        text = cells[place].strip() if place < len(cells) else ""
        if text not in _LABELS:
            fault(run.path, line, f"column 'anomaly': {text[:40]!r} is neither 0 nor 1")
        found.append(_LABELS[text])
    return np.array(found, dtype=np.bool_)


_LABELS = {"0": False, "0.0": False, "1": True, "1.0": True}
