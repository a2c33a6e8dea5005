"""The isolation forest in the stream: which version a worker scores by, for what it rings, and that it scores as
training and evaluation do."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import structlog
from pyspark.sql.streaming.tws_tester import TwsTester

from contracts import identity
from contracts.detectors import ISOLATION_FOREST
from detection import standard
from detection.models import message_scores
from detection.models.isolation_forest import Scorer
from lakehouse.lake import Lake
from lakehouse.models import registry
from lakehouse.models.store import ModelStore
from sensorlake.errors import LakeError
from streaming.detect import forest, processor, step
from streaming.detect.champion import ForestFile
from streaming.detect.forest import Forest, Note
from tests import small_forest
from tests.detect_rows import SECOND, START, WEEK, frame, rows

NAMES = standard.ensemble().names


class Place:
    """A registry and a store of models in a folder, and a worker that judges a shard."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.note = folder, folder / "run" / "forest.json"
        self.lake = Lake(str(folder / "lake"))
        self.store = ModelStore.in_folder(folder / "models", "of this test")

    def publish(self, **about) -> int:
        return small_forest.publish(self.store, self.lake, self.folder / "draft", **about)

    def file(self) -> ForestFile:
        return ForestFile(self.lake, self.store, self.folder / "held", self.note)

    def take_over(self) -> None:
        self.file().refresh()

    def tester(self) -> TwsTester:
        """A worker that knows nothing yet, with the forest loaded where there is one."""
        processor._at_hand.clear()
        processor._rang.clear()
        processor._forests[self.note] = Forest(self.note, NAMES)
        if self.note.is_file():
            until(processor._forests[self.note].current)
        return TwsTester(processor.Detect(self.folder, WEEK, self.note))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def until(true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline


def version(found: Forest) -> int | None:
    loaded = found.current()
    return loaded.version if loaded else None


def by_forest(made):
    found = [json.loads(value) for value in made.get("value", [])]
    return [anomaly for anomaly in found if anomaly["detector"] == ISOLATION_FOREST]


def test_a_message_far_off_is_an_anomaly_of_the_forest_with_its_version(place):
    number = place.publish()
    place.take_over()
    made = place.tester().testInPandas(0, frame(rows()))
    (found,) = by_forest(made)
    assert (found["device_id"], found["sensor_id"], found["metric"]) == ("d1", "d1-t", "t")
    assert found["model_version"] == str(number)
    assert found["value"] > 500
    assert 0.5 < found["threshold"] <= found["score"] < 1
    assert found["event_time"] == "2026-11-03T12:01:20.000001Z"
    own = {f"score_{name}" for name in NAMES}
    assert own <= found["features"].keys()
    assert found["anomaly_id"] == identity.anomaly_id("d1", "t", START + 80 * SECOND + 1, ISOLATION_FOREST)
    assert len(made) == 2, "the detector's own alarm is there beside it"


def test_it_scores_as_training_and_evaluation_do(place):
    number = place.publish()
    place.take_over()
    whole = rows(spikes=((0, 70), (1, 80), (2, 66)))
    tester = place.tester()
    found = [
        anomaly
        for first in range(0, len(whole), 37)
        for anomaly in by_forest(tester.testInPandas(0, frame(whole[first : first + 37])))
    ]
    readings = step.of([frame(whole)]).readings
    matrix, verdicts = message_scores.judged(standard.ensemble(), readings)
    parameters = place.store.manifest(ISOLATION_FOREST, number).parameters
    scorer = Scorer(place.folder / "models" / ISOLATION_FOREST / str(number) / "model.onnx", parameters)
    due = {
        identity.anomaly_id(readings.devices[device], "t", int(at), ISOLATION_FOREST): score
        for device, at, score, put in zip(
            verdicts.device.tolist(),
            verdicts.time.tolist(),
            scorer.score(matrix),
            message_scores.telling(verdicts.score),
            strict=True,
        )
        if put and score >= scorer.threshold
    }
    assert len(found) == 3
    assert {one["anomaly_id"]: pytest.approx(one["score"], abs=1e-6) for one in found}.items() <= due.items()


def test_it_rings_once_a_minute_for_a_device_in_trouble(place):
    place.publish()
    place.take_over()
    fault = tuple((1, second) for second in range(70, 240, 4))
    tester = place.tester()
    whole = rows(seconds=240, spikes=fault)
    found = [one for part in (whole[:300], whole[300:]) for one in by_forest(tester.testInPandas(0, frame(part)))]
    times = [one["event_time"] for one in found]
    assert [time[11:19] for time in times[:2]] == ["12:01:10", "12:02:10"]
    assert {one["device_id"] for one in found} == {"d1"}


def test_a_batch_that_failed_rings_again_when_it_is_repeated(place):
    place.publish()
    place.take_over()
    tester, whole = place.tester(), rows()
    tester.testInPandas(0, frame(whole[:100]))
    kept = tester.peekValueState("head", 0), tester.peekMapState("steps", 0)
    first = by_forest(tester.testInPandas(0, frame(whole[100:])))
    tester.updateValueState("head", 0, kept[0])
    tester.updateMapState("steps", 0, kept[1])
    again = by_forest(tester.testInPandas(0, frame(whole[100:])))
    assert [one["anomaly_id"] for one in first] == [one["anomaly_id"] for one in again] != []


def test_without_a_forest_there_is_no_anomaly_of_it_and_no_model_library_in_the_worker(place):
    assert by_forest(place.tester().testInPandas(0, frame(rows()))) == []
    program = (
        "import sys; from pathlib import Path; from streaming.detect import processor; "
        f"assert processor.Forest(Path({str(place.note)!r}), ('a',)).current() is None; "
        "assert not {'onnxruntime', 'deltalake', 'sklearn'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_worker_takes_over_a_promotion_and_a_rollback(place):
    worker, file = Forest(place.note, NAMES), place.file()
    file.refresh()
    assert version(worker) is None
    for number in (1, 2):
        assert place.publish(seed=number) == number
        file.refresh()
        until(lambda number=number: version(worker) == number)
    registry.roll_back(place.lake, ISOLATION_FOREST, by="ada", why="a test")
    file.refresh()
    until(lambda: version(worker) == 1)


@pytest.mark.parametrize("fault", ["damaged", "unsigned", "other detectors"])
def test_a_version_that_cannot_be_used_leaves_the_last_good_one_and_is_said_once(place, fault):
    place.publish()
    file = place.file()
    file.refresh()
    before = place.note.read_bytes()
    features = (*NAMES[:-1], "seismograph") if fault == "other detectors" else None
    number = place.publish(seed=1, features=features)
    if fault == "damaged":
        place.store.objects.write(f"{ISOLATION_FOREST}/{number}/model.onnx", b"tampered with")
    if fault == "unsigned":
        manifest = place.folder / "models" / ISOLATION_FOREST / str(number) / "manifest.json"
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"signature": ""}))
    with structlog.testing.capture_logs() as said:
        file.refresh()
        file.refresh()
    (line,) = said
    assert line["model"] == f"{ISOLATION_FOREST}/2"
    if fault == "other detectors":
        assert f"with seismograph and without {NAMES[-1]}: train it anew" in line["why"]
    assert place.note.read_bytes() == before
    place.file().refresh()
    assert Note.read(place.note).version == 1, "also after a restart"


def test_a_forest_of_the_last_run_goes_where_the_detectors_have_changed(place):
    Note(1, str(place.folder / "model.onnx"), {"features": ["seismograph"], "threshold": 0.6}).write(place.note)
    place.publish(features=("seismograph",))
    place.take_over()
    assert not place.note.exists()


def test_a_lake_that_is_away_leaves_the_last_good_one(place):
    place.publish()
    place.take_over()
    before = place.note.read_bytes()
    away = Lake("s3://nowhere", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "true"} | AWS)
    with pytest.raises(LakeError, match="registry of models cannot be read"):
        ForestFile(away, place.store, place.folder / "held", place.note).refresh()
    assert place.note.read_bytes() == before


AWS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1", "max_retries": "0"}


def test_a_file_that_onnx_runtime_cannot_read_leaves_the_last_good_one_in_the_worker(place):
    place.publish()
    place.take_over()
    worker = Forest(place.note, NAMES)
    until(lambda: version(worker) == 1)
    broken = place.folder / "broken.onnx"
    broken.write_bytes(b"no model")
    with structlog.testing.capture_logs() as said:
        Note(2, str(broken), {"features": list(NAMES), "threshold": 0.6}).write(place.note)
        assert version(worker) == 1
        until(lambda: said)
    assert "no model that ONNX Runtime can read" in said[0]["why"]
    assert version(worker) == 1


def test_what_it_remembers_of_devices_stays_small(place):
    place.publish()
    place.take_over()
    worker = Forest(place.note, NAMES)
    until(worker.current)
    rang: forest.Rang = {f"old{number}": START - forest.HOLD_MICROS for number in range(1000)}
    readings = step.of([frame(rows())]).readings
    _, verdicts = message_scores.judged(standard.ensemble(), readings)
    found = worker.current().ringing(NAMES, readings, verdicts, rang)
    assert found
    assert rang == {"d1": START + 80 * SECOND + 1}
    assert np.array_equal(found.verdicts.time, [START + 80 * SECOND + 1])
