"""The autoencoder over a lake in a folder: what raises an alarm, by which version, and what survives a restart."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from contracts import identity
from contracts.avro import field_names
from detection.models import lstm_autoencoder, sequences
from lakehouse import creation
from lakehouse.appender import Appender
from lakehouse.lake import Lake
from lakehouse.models import registry
from lakehouse.models.in_force import InForce
from lakehouse.models.store import LSTM_AUTOENCODER, ModelStore
from lakehouse.tables import FEATURES
from sensorlake.errors import ModelServerError
from streaming.autoencoder import outgoing
from streaming.autoencoder.judging import Autoencoder
from tests import small_autoencoder
from tests.small_autoencoder import LENGTH, windows


class Place:
    """A lake with windows, and a store of models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake = Lake(str(folder / "lake"))
        self.store = ModelStore.in_folder(folder / "models", "of this test")
        creation.ensure(self.lake, FEATURES)
        self.table, self.batches = Appender(self.lake, FEATURES, "a test"), 0

    def publish(self, threshold=5.0, **about):
        return small_autoencoder.publish(self.store, self.lake, self.folder / "draft", threshold=threshold, **about)

    def started(self, *, seconds=10.0, scorer=None) -> Autoencoder:
        in_force = InForce(self.lake, self.store, self.folder / "held")
        make = scorer or (lambda held: lstm_autoencoder.Scorer(held.folder / "model.onnx", held.manifest.parameters))
        return Autoencoder(self.lake, in_force, make, alarms=self.folder / "alarms.json", alarm_at=1.0, seconds=seconds)

    def judge(self, judging: Autoencoder, first: int, last: int, **about):
        """A batch: windows are in the table, and then the query sees those of its kind."""
        given = windows(first, last, **about)
        self.table.append(given, self.batches)
        self.batches += 1
        kinds = given["window_kind"].to_pylist()
        alarms = judging.judge(lambda: given.filter([kind == sequences.KIND for kind in kinds]))
        judging.keep()
        return [(alarm.device_id, alarm.model_version) for alarm in alarms]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_without_a_champion_nothing_is_read(place):
    def unread():
        raise AssertionError("the windows were read")

    assert place.started().judge(unread) == []


def test_a_sequence_beyond_the_threshold_raises_one_alarm(place):
    place.publish()
    judging = place.started()
    assert place.judge(judging, 0, LENGTH) == []
    assert place.judge(judging, LENGTH, LENGTH + 1, wild="b") == [("b", 1)]
    assert place.judge(judging, LENGTH + 1, LENGTH + 2, wild="b") == []


def test_a_name_may_hold_any_character(place):
    place.publish()
    judging = place.started()
    place.judge(judging, 0, LENGTH, devices=("a\x1fb", "b"))
    assert place.judge(judging, LENGTH, LENGTH + 1, devices=("a\x1fb", "b"), wild="a\x1fb") == [("a\x1fb", 1)]


def test_a_champion_that_comes_later_knows_the_windows_from_before(place):
    judging = place.started()
    assert place.judge(judging, 0, LENGTH) == []
    place.publish()
    assert place.judge(judging, LENGTH, LENGTH + 1, wild="a") == [("a", 1)]


def test_after_a_restart_an_alarm_that_lasts_is_not_raised_again(place):
    place.publish()
    first = place.started()
    place.judge(first, 0, LENGTH)
    assert place.judge(first, LENGTH, LENGTH + 1, wild="b") == [("b", 1)]
    again = place.started()
    assert place.judge(again, LENGTH + 1, LENGTH + 2, wild="b") == []
    assert place.judge(again, LENGTH + 2, LENGTH + 3, wild="a") == [("a", 1)]


def test_a_damaged_note_of_alarms_costs_one_alarm_more_and_no_query(place):
    place.publish()
    first = place.started()
    place.judge(first, 0, LENGTH)
    place.judge(first, LENGTH, LENGTH + 1, wild="b")
    (place.folder / "alarms.json").write_bytes(b"{")
    assert place.judge(place.started(), LENGTH + 1, LENGTH + 2, wild="b") == [("b", 1)]


def test_another_champion_takes_over_without_a_restart_and_a_rollback_too(place):
    place.publish(threshold=50.0)
    judging = place.started()
    place.judge(judging, 0, LENGTH)
    assert place.judge(judging, LENGTH, LENGTH + 1, wild="b") == []
    place.publish(threshold=5.0)
    assert place.judge(judging, LENGTH + 1, LENGTH + 2, wild="b") == [("b", 2)]
    registry.roll_back(place.lake, LSTM_AUTOENCODER, by="ada", why="a test")
    assert place.judge(judging, LENGTH + 2, LENGTH + 3, wild="a") == []


@pytest.mark.parametrize("fault", ["damaged", "of other windows"])
def test_a_champion_that_cannot_be_used_leaves_the_one_before_in_force(place, fault):
    place.publish()
    judging = place.started()
    place.judge(judging, 0, LENGTH)
    if fault == "damaged":
        place.publish()
        next(place.folder.glob("models/**/2/model.onnx")).write_bytes(b"tampered with")
    else:
        place.publish(windows="tumbling_10s")
    assert place.judge(judging, LENGTH, LENGTH + 1, wild="b") == [("b", 1)]


def test_one_that_is_short_of_time_gives_each_series_its_turn_and_says_so(place):
    place.publish()
    devices = tuple(f"d{number:03}" for number in range(150))
    judging = place.started(seconds=1e-9)
    with structlog.testing.capture_logs() as logs:
        found = place.judge(judging, 0, LENGTH, devices=devices)
        for number in range(LENGTH, LENGTH + 3):
            found += place.judge(judging, number, number + 1, devices=devices, wild="d140")
    assert [entry["due"] for entry in logs if "does not score all" in entry["event"]] == [150]
    scored = judging._recent.state["scored"]
    assert (scored > 0).all()
    assert judging._recent.state["last"].max() - scored.min() <= 2 * sequences.EVERY_MICROS
    assert found == [("d140", 1)]


def test_a_model_server_that_is_away_fails_the_batch_so_that_it_is_tried_again(place):
    class Away:
        length, threshold = LENGTH, 5.0

        def score(self, _):
            raise ModelServerError("it does not answer")

    place.publish()
    with pytest.raises(ModelServerError):
        place.judge(place.started(scorer=lambda _: Away()), 0, LENGTH)


def test_a_champion_that_the_server_does_not_hold_yet_is_awaited_by_the_one_before(place):
    holds = {1}

    def scorer(held):
        if held.version not in holds:
            raise ModelServerError(f"it does not hold version {held.version}", 404)
        return lstm_autoencoder.Scorer(held.folder / "model.onnx", held.manifest.parameters)

    place.publish()
    judging = place.started(scorer=scorer)
    place.judge(judging, 0, LENGTH)
    place.publish()
    with structlog.testing.capture_logs() as logs:
        assert place.judge(judging, LENGTH, LENGTH + 1, wild="b") == [("b", 1)]
        assert place.judge(judging, LENGTH + 1, LENGTH + 2) == []
    assert [entry["model"] for entry in logs if "awaited" in entry["event"]] == ["lstm_autoencoder/2"]
    holds.add(2)
    assert place.judge(judging, LENGTH + 2, LENGTH + 3, wild="a") == [("a", 2)]


def test_a_first_champion_that_the_server_does_not_hold_yet_fails_the_batch(place):
    def scorer(_):
        raise ModelServerError("it does not hold version 1", 404)

    place.publish()
    with pytest.raises(ModelServerError):
        place.judge(place.started(scorer=scorer), 0, LENGTH)


def test_the_message_is_an_anomaly_of_the_contract():
    end = 1_793_707_200_000_000
    alarm = outgoing.Alarm(
        "a", "t", end, (20.0, 1.0, 18.0, 22.0, 60.0, 4.0), error=12.0, limit=5.0, alarm_at=2.0, model_version=3
    )
    key, value = outgoing.message(alarm, datetime(2026, 11, 3, 13, tzinfo=UTC))
    found = json.loads(value)
    assert (key, list(found)) == (b"a", field_names("anomaly"))
    assert found["anomaly_id"] == identity.anomaly_id("a", "t", end, "lstm_autoencoder")
    assert (found["score"], found["threshold"], found["severity"]) == (2.4, 2.0, "warning")
    assert (found["detector"], found["model_version"]) == ("lstm_autoencoder", "3")
    assert (found["window_start"], found["window_end"]) == (
        "2026-11-03T11:59:00.000000Z",
        "2026-11-03T12:00:00.000000Z",
    )
    assert found["features"]["error"] == 12.0
