"""Figures of each device, or of each device and metric: is it registered, did its unit change, did it pause?"""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from expectations.expectation import Figures

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]
    from numpy.typing import NDArray

    from expectations.data import Data

_MICROS = 1_000_000
_INTERVALS = 3
"""A pause is longer than this many usual intervals..."""
_SHORTEST = 60 * _MICROS
"""...and than this: of a sensor that sends each second, three lost seconds are no gap."""


def devices(data: "Data") -> Figures:
    """One row a device: its rows, and whether the registry knows it."""
    import pyarrow as pa  # noqa: PLC0415  definitions load without Arrow
    import pyarrow.compute as pc  # noqa: PLC0415

    schema = pa.schema([("device_id", pa.string()), ("rows", pa.int64()), ("registered", pa.bool_())])
    if data.devices is None:
        return Figures(schema.empty_table(), 0)
    found = _counted(data, ("device_id",))
    known = pc.is_in(found["device_id"], pa.array(sorted(data.devices), pa.string()))
    return Figures(found.append_column("registered", known), found.num_rows)


def units(data: "Data") -> Figures:
    """One row a device and metric: the units that its values came in, and how many."""
    import pyarrow.compute as pc  # noqa: PLC0415

    found = _counted(data, ("device_id", "metric", "unit"))
    found = found.filter(pc.is_valid(found["unit"]))
    found = found.group_by(["device_id", "metric"]).aggregate([("unit", "list"), ("unit", "count"), ("rows", "sum")])
    joined = pc.binary_join(found["unit_list"], " then or before ").combine_chunks()
    found = found.set_column(found.schema.get_field_index("unit_list"), "units", joined)
    return Figures(found.rename_columns({"unit_count": "different", "rows_sum": "rows"}), found.num_rows)


def pauses(data: "Data") -> Figures:
    """One row a device and metric: pauses between two readings of more than three usual intervals, which is the median
    of its own on the day, and of more than a minute. Needs 12 bytes a row."""
    import numpy as np  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    series, names = _series_and_times(data)
    if not names:
        columns = ("device_id", "metric"), ("gaps",), ("usual_seconds", "longest_seconds")
        kinds = (pa.string(), pa.int64(), pa.float64())
        fields = [(name, kind) for group, kind in zip(columns, kinds, strict=True) for name in group]
        return Figures(pa.schema(fields).empty_table(), 0)
    code, micros = series
    order = np.lexsort((micros, code))
    code, micros = code[order], micros[order]
    del order
    edges = np.searchsorted(code, np.arange(len(names) + 1))
    gaps, usual, longest = np.zeros(len(names), np.int64), np.zeros(len(names)), np.zeros(len(names))
    for place, (start, end) in enumerate(pairwise(edges)):
        steps = np.diff(micros[start:end])
        if len(steps) >= _INTERVALS:
            middle = float(np.median(steps))
            usual[place], longest[place] = middle / _MICROS, steps.max() / _MICROS
            gaps[place] = int((steps > max(_INTERVALS * middle, _SHORTEST)).sum())
    rows = pa.table(
        {
            "device_id": [device for device, _ in names],
            "metric": [metric for _, metric in names],
            "gaps": gaps,
            "usual_seconds": usual,
            "longest_seconds": longest,
        }
    )
    return Figures(rows, len(code))


def _series_and_times(data: "Data") -> "tuple[tuple[NDArray[Any], NDArray[Any]], list[tuple[str, str]]]":
    """A number for the device and metric of each row, the times in microseconds, and the names behind the numbers."""
    import numpy as np  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    numbers: dict[tuple[str, str], int] = {}
    codes, times = [np.empty(0, np.int32)], [np.empty(0, np.int64)]
    for piece in data.read(("device_id", "metric", "event_time")):
        whole = piece.filter(piece["event_time"].is_valid())
        device = whole["device_id"].combine_chunks().dictionary_encode()
        metric = whole["metric"].combine_chunks().dictionary_encode()
        width = len(metric.dictionary) + 1
        pair = device.indices.fill_null(0).to_numpy().astype(np.int64) * width + metric.indices.fill_null(0).to_numpy()
        found, place = np.unique(pair, return_inverse=True)
        known = [
            (device.dictionary[int(each // width)].as_py(), metric.dictionary[int(each % width)].as_py())
            for each in found
        ]
        of_found = np.array([numbers.setdefault(name, len(numbers)) for name in known], dtype=np.int32)
        codes.append(of_found[place] if len(found) else np.empty(0, np.int32))
        times.append(whole["event_time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy())
    return (np.concatenate(codes), np.concatenate(times)), list(numbers)


def _counted(data: "Data", columns: tuple[str, ...]) -> "pa.Table":
    """One row for each combination of `columns`, with `rows`."""
    import pyarrow as pa  # noqa: PLC0415

    counted = [
        piece.select(list(columns)).group_by(list(columns)).aggregate([([], "count_all")])
        for piece in data.read(columns)
    ]
    if not counted:
        fields = [*((name, pa.string()) for name in columns), ("rows", pa.int64())]
        return pa.schema(fields).empty_table()
    found = pa.concat_tables(counted).group_by(list(columns)).aggregate([("count_all", "sum")])
    return found.rename_columns([*columns, "rows"])
