"""A stand-in for a trained autoencoder, as a model file: its error is the largest figure of a sequence, clipped at ten,
so that tests can say beforehand what it finds. And windows for it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
from onnx import TensorProto, helper

from detection.models.sequences import FEATURES, KIND
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.models import registry
from lakehouse.models.store import LSTM_AUTOENCODER, ModelStore

LENGTH = 10
FIRST = datetime(2026, 11, 3, 12, tzinfo=UTC)
DAY = date(2026, 11, 3)


def write(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    sequence = helper.make_tensor_value_info("sequence", TensorProto.FLOAT, [None, LENGTH, len(FEATURES)])
    error = helper.make_tensor_value_info("error", TensorProto.FLOAT, [None])
    nodes = [
        helper.make_node("Abs", ["sequence"], ["sizes"]),
        helper.make_node("ReduceMax", ["sizes"], ["error"], axes=[1, 2], keepdims=0),
    ]
    graph = helper.make_graph(nodes, "small", [sequence], [error])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"))
    return folder


def publish(store: ModelStore, lake: Lake, draft: Path, *, threshold: float, windows: str = KIND) -> int:
    """Publish the next version and make it the champion."""
    parameters = {"length": LENGTH, "threshold": threshold, "features": list(FEATURES), "windows": windows}
    made = store.publish(LSTM_AUTOENCODER, write(draft), training_set={}, parameters=parameters, metrics={})
    registry.challenge(lake, LSTM_AUTOENCODER, made.version, by="ada", why="a test")
    registry.promote(lake, LSTM_AUTOENCODER, made.version, by="ada", why="a test")
    return made.version


def windows(first: int, last: int, *, devices: tuple[str, ...] = ("a", "b"), wild: str = "") -> pa.Table:
    """Rows of the table features, windows number `first` to `last` - 1 of each device; those of `wild` are far off."""
    rows = []
    for number in range(first, last):
        for device in devices:
            mean = 20 + np.sin(number + len(device)) + (1000 if device == wild else 0)
            end = FIRST + timedelta(seconds=10 * number)
            figures = {"count": 60, "mean": mean, "stddev": 1.0, "min": mean - 2, "max": mean + 2, "range": 4.0}
            about = {"device_id": device, "metric": "t", "event_date": DAY, "delta": 0.0, "rate_of_change": 0.0}
            for kind, length in ((KIND, 60), ("tumbling_1m", 60)):
                when = {"window_kind": kind, "window_start": end - timedelta(seconds=length), "window_end": end}
                rows.append(about | figures | when)
    return pa.Table.from_pylist(rows, schema=arrow_schema("feature"))
