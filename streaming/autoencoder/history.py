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
    keys, names = pa.array([], pa.int64()), []
    if windows.num_rows:
        both = pc.binary_join_element_wise(windows["device_id"], windows["metric"], "\x1f").combine_chunks()
        coded = both.dictionary_encode()
        keys, names = coded.indices, [tuple(name.split("\x1f")) for name in coded.dictionary.to_pylist()]
    rows = recent.rows(names)[keys.to_numpy(zero_copy_only=False)] if names else np.zeros(0, np.int64)
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
