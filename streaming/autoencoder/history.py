"""Windows out of the table features, as a model looks at them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from detection.models.recent import Recent
from detection.models.sequences import EVERY_MICROS, FEATURES, KIND
from lakehouse.lake import Lake
from lakehouse.tables import FEATURES as TABLE

COLUMNS = ["device_id", "metric", "window_end", *FEATURES]
# Windows are written as the watermark passes; a series may lack some.
_SPARE = 20


def take(recent: Recent, windows: pa.Table) -> None:
    """Add windows with `COLUMNS` to those that are known."""
    keys, names = np.zeros(0, np.int64), list[tuple[str, str]]()
    if windows.num_rows:
        devices, metrics = (windows[name].combine_chunks().dictionary_encode() for name in ("device_id", "metric"))
        device, metric = devices.dictionary.to_pylist(), metrics.dictionary.to_pylist()
        pairs = devices.indices.to_numpy().astype(np.int64) * len(metric) + metrics.indices.to_numpy()
        distinct, keys = np.unique(pairs, return_inverse=True)
        names = [(device[pair // len(metric)], metric[pair % len(metric)]) for pair in distinct.tolist()]
    rows = recent.rows(names)[keys] if names else np.zeros(0, np.int64)
    figures = [windows[name].cast(pa.float64()).to_numpy() for name in FEATURES]
    recent.add(rows, windows["window_end"].cast(pa.int64()).to_numpy(), np.stack(figures, axis=1))


def load(lake: Lake, length: int, newest: datetime) -> pa.Table:
    """The windows that a series which never pauses needs for its sequence at `newest`, and all that came later; rarer
    ones fill up as their windows come."""
    since = newest.astimezone(UTC) - timedelta(microseconds=(length + _SPARE) * EVERY_MICROS)
    return (
        lake.existing(TABLE)
        .to_pyarrow_dataset()
        .to_table(
            columns=COLUMNS,
            filter=(pc.field("event_date") >= (since - timedelta(minutes=1)).date())
            & (pc.field("window_end") > since)
            & (pc.field("window_kind") == KIND),
        )
    )
