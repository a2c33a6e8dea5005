"""CSV files of readings, wide or long, read row by row: a file larger than memory is no trouble.

Wide: `timestamp`, one column a metric, optionally `device_id` and `location`; `anomaly` is a label and left out.
Long: `timestamp`, `metric`, `value`, optionally `sensor_id` or `device_id`, `unit`, `location`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge import times
from edge.csv_lines import fault, records
from sensorlake.errors import InputFileError

DEVICE_COLUMNS = ("device_id", "sensor_id")
TEXT_COLUMNS = {"timestamp", "location", "unit", *DEVICE_COLUMNS}
LABEL_COLUMNS = {"anomaly"}
MISSING = {"", "nan", "na", "n/a", "null", "none"}
MAX_NAME_LENGTH = 256


@dataclass(frozen=True)
class Row:
    """One row: `time` in microseconds since 1970-01-01 UTC, only the values that are there; `long` as its file is."""

    time: int
    device: str
    location: str | None
    unit: str | None
    values: dict[str, float]
    long: bool


@dataclass(frozen=True)
class Layout:
    """Which column holds what, found from the header."""

    columns: dict[str, int]
    metrics: dict[str, int]  # of a wide file, already renamed
    long: bool
    width: int


@dataclass(frozen=True)
class CsvFile:
    """A file and how to read it: `device` for rows that name none, `metric` as the name of a single `value` column."""

    path: Path
    device: str
    metric: str | None = None

    @property
    def shown(self) -> str:
        """The path as it can be printed: the name of a file need not be UTF-8."""
        return str(self.path).encode("utf-8", "backslashreplace").decode()

    def rows(self) -> Iterator[Row]:
        """Every row in the file's order.

        Raises:
            InputFileError: naming file, line and reason.
        """
        for row, _ in self._parsed():
            yield row

    def survey(self) -> "Survey":
        """Read the whole file once, so that nothing is sent from a file with a fault further down.

        Raises:
            InputFileError: naming file, line and reason.
        """
        try:
            self.device.encode()
        except UnicodeEncodeError:
            raise InputFileError(f"{self.shown}: the name is no UTF-8 text; name the device by --device") from None
        rows = readings = 0
        zone_named = True
        for row, named in self._parsed():
            rows += 1
            readings += len(row.values)
            zone_named = zone_named and named
        if not readings:
            raise InputFileError(f"{self.path}: holds no value")
        return Survey(rows, readings, zone_named)

    def _parsed(self) -> Iterator[tuple[Row, bool]]:
        lines = records(self.path)
        line, header = next(lines, (1, []))
        layout = self._layout(line, header)
        for line, cells in lines:
            if len(cells) != layout.width:
                fault(self.path, line, f"has {len(cells)} cells, the header has {layout.width}")
            try:
                time, named = times.parse(cells[layout.columns["timestamp"]])
            except ValueError as error:
                fault(self.path, line, str(error))
            device = next((text for name in DEVICE_COLUMNS if (text := self._text(layout, cells, name))), self.device)
            location, unit = self._text(layout, cells, "location"), self._text(layout, cells, "unit")
            for name, text in (("device name", device), ("location", location), ("unit", unit)):
                if len(text or "") > MAX_NAME_LENGTH:
                    fault(self.path, line, f"a {name} is longer than {MAX_NAME_LENGTH} characters")
            yield Row(time, device, location, unit, self._values(layout, line, cells), layout.long), named

    def _values(self, layout: Layout, line: int, cells: list[str]) -> dict[str, float]:
        metrics = layout.metrics
        if layout.long:
            name = cells[layout.columns["metric"]].strip()
            if not name or len(name) > MAX_NAME_LENGTH:
                fault(self.path, line, f"the metric must have 1 to {MAX_NAME_LENGTH} characters")
            metrics = {name: layout.columns["value"]}
        values = {}
        for name, column in metrics.items():
            text = cells[column].strip()
            if text.lower() in MISSING:
                continue
            try:
                values[name] = _number(text)
            except ValueError as error:
                fault(self.path, line, f"column {name!r}: {error}")
        return values

    def _text(self, layout: Layout, cells: list[str], column: str) -> str | None:
        place = layout.columns.get(column)
        return cells[place].strip() or None if place is not None else None

    def _layout(self, line: int, header: list[str]) -> Layout:
        names = [name.strip() for name in header]
        if not names:
            fault(self.path, line, "the file is empty; a header with the column timestamp is needed")
        for place, name in enumerate(names, start=1):
            if not name or len(name) > MAX_NAME_LENGTH:
                fault(self.path, line, f"column {place} must have a name of 1 to {MAX_NAME_LENGTH} characters")
            if names.index(name) != place - 1:
                fault(self.path, line, f"the column {name!r} stands twice in the header")
        if "timestamp" not in names:
            hint = " (are the columns separated by something else than a comma?)" if len(names) == 1 else ""
            fault(self.path, line, f"the header has no column timestamp{hint}")
        columns = {name: place for place, name in enumerate(names)}
        long = {"metric", "value"} <= columns.keys()
        if self.metric and (long or "value" not in columns):
            fault(self.path, line, "--metric names a single column `value`, and this file has none")
        if self.metric and self.metric in columns:
            fault(self.path, line, f"there is a column {self.metric!r} already; --metric must give another name")
        known = TEXT_COLUMNS | LABEL_COLUMNS
        metrics = {
            self.metric if name == "value" and self.metric else name: p
            for name, p in columns.items()
            if name not in known
        }
        if not metrics:
            fault(self.path, line, "the header names no metric")
        return Layout(columns, metrics, long, len(names))


@dataclass(frozen=True)
class Survey:
    """What a whole file holds; `zone_named` is False where a timestamp without zone was read as UTC."""

    rows: int
    readings: int
    zone_named: bool


def _number(text: str) -> float:
    if "_" in text:  # Python's own notation, not a CSV file's
        raise ValueError(f"{text[:40]!r} is not a number")
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]!r} is not a finite number; leave the cell empty where there is no value")
    return value
