"""From windows of the features to rows of the table `baselines`."""

import numpy as np
import pyarrow as pa

from detection import baselines
from detection.baselines import Shift
from detection.windows import Windows
from lakehouse.columns import arrow_schema
from lakehouse.tables import BASELINES
from orchestration.learning.windows import Series

SCHEMA = arrow_schema(BASELINES.record)
_TIMES = ("since", "until", "shifted_at")
_LENGTHS = {"deciles": len(baselines.DECILES), "hours": 24}


def rows(windows: Windows, series: Series, now_micros: int, shift: Shift) -> pa.Table:
    """One row a series that has a usable window, in the shape of contracts/schemas/baseline.avsc."""
    learned = baselines.learn(windows, now_micros, shift)
    has = np.flatnonzero(learned.windows > 0)
    columns = {"device_id": series.device_id.take(pa.array(has)), "metric": series.metric.take(pa.array(has))}
    for item in SCHEMA:
        if item.name == "computed_at":
            columns[item.name] = pa.repeat(now_micros, len(has)).cast(item.type)
        elif item.name not in columns:
            columns[item.name] = _column(item.name, getattr(learned, item.name)[has]).cast(item.type)
    return pa.table([columns[item.name] for item in SCHEMA], schema=SCHEMA)


def figures(table: pa.Table, name: str) -> np.ndarray:
    """A column of figures of the table `baselines`, shape (rows,); of lists, such as `deciles`: (rows, length)."""
    column = table[name].combine_chunks()
    if name in _LENGTHS:
        return column.flatten().to_numpy().reshape(-1, _LENGTHS[name])
    return column.to_numpy()


def _column(name: str, values: np.ndarray) -> pa.Array:
    if name in _LENGTHS:
        return pa.ListArray.from_arrays(np.arange(0, values.size + 1, values.shape[1], dtype=np.int32), values.ravel())
    if name in _TIMES:
        return pa.array(values, mask=values < 0)
    return pa.array(values)
