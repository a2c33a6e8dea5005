"""Labelled readings of a simulated fleet and their windows as Parquet files, for whoever wants to train something."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detection.models import sequences
from edge import labelled
from sensorlake.errors import ModelError

# Some day is needed, and a fixed one makes the same seed give the same file.
_START = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) * 1_000_000


def write(
    folder: Path,
    *,
    sensors: int,
    seconds: float,
    interval_seconds: float,
    anomaly_rate: float,
    quiet_share: float,
    seed: int,
) -> dict[str, int]:
    """Write readings.parquet (device_id, metric, event_time, value, abnormal, kind) and windows.parquet (the same of
    the windows of a minute that end every ten seconds, with their six figures); how many rows, how many of each kind.

    Raises:
        ModelError: the folder cannot be written to.
    """
    made = labelled.readings(
        sensors,
        seconds,
        anomaly_rate=anomaly_rate,
        seed=seed,
        start=_START,
        quiet_share=quiet_share,
        interval_seconds=interval_seconds,
    )
    kinds = made.kind_names
    found = sequences.windows(made.series, made.time, made.value)
    # A pane, and a window of panes, is of the kind of the fault in it; no sensor has two at once.
    of_pane = np.full(int(found.pane.max()) + 2, len(labelled.KINDS) - 1)
    np.minimum.at(of_pane, found.pane, made.kind)
    edges = np.stack([found.oldest, found.newest + 1], axis=1).reshape(-1)
    of_window = np.array(labelled.KINDS)[np.minimum.reduceat(of_pane, edges)[::2]]
    figures = {name: found.figures[:, place] for place, name in enumerate(sequences.FEATURES)}
    windows = _named(made, found.series, found.end, "window_end", of_window)
    readings = _named(made, made.series, made.time, "event_time", kinds).add_column(3, "value", pa.array(made.value))
    for name, values in figures.items():
        windows = windows.append_column(name, pa.array(values))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in (("readings", readings), ("windows", windows)):
            pq.write_table(table, folder / f"{name}.parquet.new", compression="zstd")
        for name in ("readings", "windows"):  # both are new, or neither
            (folder / f"{name}.parquet.new").replace(folder / f"{name}.parquet")
    except OSError as error:
        raise ModelError(f"{folder}: the training data cannot be written: {error.strerror or error}") from None
    counts = {kind: int((kinds == kind).sum()) for kind in labelled.KINDS}
    return {"readings": readings.num_rows, "windows": windows.num_rows, **counts}


def _named(made: labelled.Labelled, series: np.ndarray, time: np.ndarray, time_name: str, kind: np.ndarray) -> pa.Table:
    return pa.table(
        {
            "device_id": pa.array(made.devices).take(pa.array(series)).dictionary_encode(),
            "metric": pa.array(made.metrics).take(pa.array(series)).dictionary_encode(),
            time_name: pa.array(time).cast(pa.timestamp("us", "UTC")),
            "abnormal": kind != labelled.NORMAL,
            "kind": pa.array(kind.tolist()).dictionary_encode(),
        }
    )
