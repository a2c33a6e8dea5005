"""The query `autoencoder` on Spark: windows of the Delta table in, messages of the anomaly topic out, over restarts."""

import json
from contextlib import contextmanager

import pytest

from detection.models import lstm_autoencoder
from lakehouse import creation
from lakehouse.appender import Appender
from lakehouse.lake import Lake
from lakehouse.models.in_force import InForce
from lakehouse.models.store import ModelStore
from lakehouse.tables import FEATURES
from streaming.autoencoder import query
from streaming.autoencoder.judging import Autoencoder
from tests import small_autoencoder
from tests.small_autoencoder import LENGTH, windows


@pytest.fixture
def lake(tmp_path):
    made = Lake(str(tmp_path / "lake"))
    creation.ensure(made, FEATURES)
    return made


@contextmanager
def running(spark, lake, folder):
    """One life of the query; `batch()` is what it wrote since it was asked last, once nothing is left to read."""
    in_force = InForce(lake, ModelStore.in_folder(folder / "models", "of this test"), folder / "held")
    judging = Autoencoder(
        lake,
        in_force,
        lambda held: lstm_autoencoder.Scorer(held.folder / "model.onnx", held.manifest.parameters),
        alarms=folder / "alarms.json",
        alarm_at=1.5,
        seconds=10.0,
    )
    written = []
    started = (
        query.windows(spark, lake.root)
        .writeStream.foreachBatch(
            lambda batch, _: query.judge(batch, judging, lambda rows: written.extend(rows.collect()))
        )
        .option("checkpointLocation", str(folder / "checkpoint"))
        .trigger(processingTime="50 milliseconds")
        .start()
    )

    def batch():
        started.processAllAvailable()
        found = [(bytes(row.key).decode(), json.loads(bytes(row.value))) for row in written]
        written.clear()
        return found

    try:
        batch()
        yield batch
    finally:
        started.stop()


def test_each_alarm_is_written_once_over_restarts_and_nothing_without_a_champion(spark, lake, tmp_path):
    table = Appender(lake, FEATURES, "a test")
    with running(spark, lake, tmp_path) as batch:
        table.append(windows(0, LENGTH), 0)
        assert batch() == [], "there is no champion"
        store = ModelStore.in_folder(tmp_path / "models", "of this test")
        small_autoencoder.publish(store, lake, tmp_path / "draft", threshold=5.0)
        table.append(windows(LENGTH, LENGTH + 1, wild="b"), 1)
        ((key, anomaly),) = batch()
    assert (key, anomaly["device_id"], anomaly["metric"], anomaly["model_version"]) == ("b", "b", "t", "1")
    assert anomaly["score"] == pytest.approx(2.0)
    assert anomaly["window_end"] == "2026-11-03T12:01:40.000000Z"
    assert anomaly["features"]["count"] == 60
    table.append(windows(LENGTH + 1, LENGTH + 2, wild="b"), 2)
    with running(spark, lake, tmp_path) as batch:
        assert batch() == [], "the alarm lasts"
        table.append(windows(LENGTH + 2, LENGTH + 3, wild="a"), 3)
        assert [key for key, _ in batch()] == ["a"]
