"""Which versions are in memory and which one answers, as versions are published, promoted, damaged and rolled back."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from lakehouse.models.registry import Standing
from lakehouse.models.store import ModelStore
from sensorlake.errors import ModelError
from serving import choice, labels
from serving.batching import Limits
from serving.calls import Call
from serving.library import Library
from serving.refusal import RefusalError
from serving.signature import Signature, Tensor

KEY = "k" * 40
SIGNATURE = {"serving_default": Signature({"x": Tensor(1, (-1,))}, {"y": Tensor(1, (-1,))})}
SPECIMEN = Call("m", "predict")


class Factor:
    """y = factor * x; the factor stands in the artefact."""

    library = "arithmetic"
    signatures = SIGNATURE

    def __init__(self, folder: Path) -> None:
        self._factor = float((folder / "factor").read_text())

    def predict(self, _signature, inputs):
        return {"y": self._factor * inputs["x"]}


class Shelf:
    """A library over a store in a folder, and what a test does to them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = ModelStore.in_folder(root / "bucket", KEY)
        self.named: dict[str, int] = {}
        self.now = 0.0
        self.library = Library(
            self.store,
            lambda _name: self.named,
            root / "fetched",
            Factor,
            executor=ThreadPoolExecutor(1),
            limits=Limits(),
            clock=lambda: self.now,
        )

    def publish(self, factor: object) -> int:
        draft = self.root / "draft"
        draft.mkdir(exist_ok=True)
        (draft / "factor").write_text(str(factor))
        return self.store.publish("m", draft, training_set={}, parameters={}, metrics={}).version

    def damage(self, version: int) -> None:
        (self.root / "bucket" / "m" / str(version) / "factor").write_text("666")

    def factor(self, **which: object) -> float:
        version = self.library.find(Call("m", "predict", **which))
        outputs = asyncio.run(version.predict("serving_default", {"x": np.ones(1, np.float32)}))
        return float(outputs["y"][0])

    def states(self) -> dict[int, str]:
        return {found.number: found.state for found in self.library.statuses(SPECIMEN)}


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path)


def test_an_empty_store_has_no_model_to_find(shelf):
    shelf.library.refresh()
    for look, reason in [(shelf.library.find, "Latest(m)"), (shelf.library.statuses, "any versions of model m")]:
        with pytest.raises(RefusalError) as refusal:
            look(SPECIMEN)
        assert refusal.value.status == 404
        assert reason in refusal.value.message


def test_without_a_registry_the_newest_answers_and_the_one_before_it_can_be_asked(shelf):
    for factor in (1, 2, 3):
        shelf.publish(factor)
    shelf.library.refresh()
    assert shelf.factor() == 3
    assert shelf.factor(version=2) == 2
    assert shelf.states() == {3: "AVAILABLE", 2: "AVAILABLE"}
    with pytest.raises(RefusalError, match=r"Specific\(m, 1\)"):
        shelf.factor(version=1)


def test_a_newer_version_takes_over_while_one_in_hand_goes_on(shelf):
    shelf.publish(1)
    shelf.library.refresh()
    in_hand = shelf.library.find(SPECIMEN)
    for factor in (2, 3, 4):
        shelf.publish(factor)
    shelf.library.refresh()
    assert shelf.factor() == 4
    assert asyncio.run(in_hand.predict("serving_default", {"x": np.ones(1)}))["y"] == [1]


def test_the_champion_answers_and_the_others_by_their_names(shelf):
    for factor in (1, 2, 3, 4):
        shelf.publish(factor)
    shelf.named = {"champion": 2, "challenger": 3, "previous": 1}
    shelf.library.refresh()
    assert shelf.factor() == 2
    assert shelf.factor(label="challenger") == 3
    assert shelf.factor(label="previous") == 1
    with pytest.raises(RefusalError, match="Unrecognized servable version label: other"):
        shelf.factor(label="other")
    shelf.named = {"champion": 1}
    shelf.library.refresh()
    assert shelf.factor() == 1


def test_a_damaged_champion_leaves_the_last_one_in_force_and_says_why(shelf):
    shelf.publish(1)
    shelf.named = {"champion": 1}
    shelf.library.refresh()
    shelf.damage(shelf.publish(2))
    shelf.publish(3)
    shelf.named = {"champion": 2, "challenger": 3}
    shelf.library.refresh()
    assert shelf.factor() == 1
    assert shelf.states() == {1: "AVAILABLE", 2: "END", 3: "AVAILABLE"}
    described = shelf.library.statuses(Call("m", "status", 2))[0].describe()
    assert described["status"]["error_code"] == "FAILED_PRECONDITION"
    assert "damaged" in described["status"]["error_message"]


def test_after_a_restart_a_damaged_champion_leaves_the_one_before_it_not_the_challenger(shelf):
    for factor in (1, 2, 3):
        shelf.publish(factor)
    shelf.damage(2)
    shelf.named = {"champion": 2, "challenger": 3, "previous": 1}
    shelf.library.refresh()
    assert shelf.factor() == 1


def test_a_champion_alone_that_is_damaged_is_replaced_by_nothing_unjudged(shelf):
    for factor in (1, 2):
        shelf.publish(factor)
    shelf.damage(1)
    shelf.named = {"champion": 1, "challenger": 2}
    shelf.library.refresh()
    with pytest.raises(RefusalError, match="Latest"):
        shelf.factor()
    assert shelf.factor(label="challenger") == 2


def test_what_was_signed_with_another_key_is_refused(shelf):
    shelf.publish(1)
    shelf.library.refresh()
    shelf.store = ModelStore.in_folder(shelf.root / "bucket", "another key")
    shelf.publish(2)
    shelf.library.refresh()
    assert shelf.factor() == 1
    assert shelf.states() == {1: "AVAILABLE", 2: "END"}


def test_a_version_that_failed_is_tried_again_later(shelf):
    shelf.publish("no number")
    shelf.library.refresh()
    assert shelf.states() == {1: "END"}
    (shelf.root / "bucket" / "m" / "1").rename(shelf.root / "gone")
    shelf.publish(5)
    repaired = shelf.root / "bucket" / "m" / "1"
    shelf.now = 30
    shelf.library.refresh()
    assert shelf.states() == {1: "END"}
    assert repaired.is_dir()
    shelf.now = 61
    shelf.library.refresh()
    assert shelf.factor() == 5


def test_a_store_that_does_not_answer_changes_nothing(shelf, monkeypatch):
    shelf.publish(1)
    shelf.library.refresh()

    def refuse(*_):
        raise ModelError("the storage is down")

    for question in ("names", "versions"):
        with monkeypatch.context() as patch:
            patch.setattr(ModelStore, question, refuse)
            shelf.library.refresh()
        assert shelf.factor() == 1


def test_versions_that_vanish_from_the_store_are_let_go_but_not_the_one_that_answers(shelf):
    for factor in (1, 2):
        shelf.publish(factor)
    shelf.named = {"champion": 2}
    shelf.library.refresh()
    (shelf.root / "bucket" / "m").rename(shelf.root / "gone")
    shelf.library.refresh()
    assert shelf.states() == {2: "AVAILABLE"}
    assert shelf.factor() == 2


def test_names_come_from_the_registry():
    def standing(version, role, *, was_champion=False):
        since = datetime(2026, 11, version, tzinfo=UTC)
        return Standing("m", version, role, since, "a test", "because", was_champion=was_champion)

    found = labels.of(
        [
            standing(1, "archived", was_champion=True),
            standing(2, "withdrawn", was_champion=True),
            standing(3, "archived", was_champion=True),
            standing(4, "archived"),
            standing(5, "champion", was_champion=True),
            standing(6, "challenger"),
        ]
    )
    assert found == {"champion": 5, "challenger": 6, "previous": 3}
    assert labels.of([]) == {}


def test_the_champion_is_loaded_first():
    assert choice.wanted([1, 2, 3, 4, 5], {"champion": 2, "challenger": 4, "previous": 1}) == [2, 1, 4, 5]
    assert choice.wanted([1, 2], {"champion": 7}) == [2, 1]
