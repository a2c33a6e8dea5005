"""Which model is in force: promotion, rollback, and the last good one staying where the new one is refused."""

from pathlib import Path

import pytest

from lakehouse.lake import Lake
from lakehouse.models import registry
from lakehouse.models.in_force import InForce
from lakehouse.models.store import ModelStore
from sensorlake.errors import ModelError

BY = {"by": "ada", "why": "a test"}
ABOUT = {"training_set": {}, "parameters": {}, "metrics": {}}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore.in_folder(tmp_path / "models", "of this test")


@pytest.fixture
def entered(lake: Lake) -> Lake:
    """Versions 1 to 3 of a model, of which 1 and then 2 were champions, and 3 is the challenger."""
    for version in (1, 2):
        registry.challenge(lake, "forest", version, **BY, trained_on=version)
        registry.promote(lake, "forest", version, **BY)
    registry.challenge(lake, "forest", 3, **BY)
    return lake


def roles(lake: Lake) -> dict[int, str]:
    return {each.version: each.role for each in registry.standings(lake, "forest")}


def test_a_lake_without_models_has_none(lake: Lake) -> None:
    assert (registry.standings(lake), registry.champion(lake, "forest"), registry.history(lake)) == ([], None, [])


def test_promotion_archives_the_champion_before(entered: Lake) -> None:
    assert roles(entered) == {1: "archived", 2: "champion", 3: "challenger"}
    registry.promote(entered, "forest", 3, by="ada", why="better")
    assert roles(entered) == {1: "archived", 2: "archived", 3: "champion"}
    (third, second, first) = registry.standings(entered, "forest")
    assert (third.by, third.why, third.was_champion, first.trained_on) == ("ada", "better", True, 1)
    assert second.why == "promotion to version 3: better"
    assert [(each.kind, each.version) for each in registry.history(entered)][:2] == [("promotion", 3), ("challenge", 3)]


def test_rollback_goes_to_the_champion_before_and_withdraws_this_one(entered: Lake) -> None:
    assert registry.roll_back(entered, "forest", **BY).version == 1
    assert roles(entered) == {1: "champion", 2: "withdrawn", 3: "challenger"}
    with pytest.raises(ModelError, match="no earlier champion"):
        registry.roll_back(entered, "forest", **BY)
    registry.roll_back(entered, "forest", version=2, **BY)
    assert registry.champion(entered, "forest").version == 2


def test_models_do_not_touch_each_other(entered: Lake) -> None:
    registry.challenge(entered, "other", 1, **BY)
    registry.promote(entered, "other", 1, **BY)
    assert roles(entered) == {1: "archived", 2: "champion", 3: "challenger"}
    assert registry.champion(entered, "other").label == "other/1"


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda lake: registry.promote(lake, "forest", 9, **BY), "no version 9 .* there are: 3, 2, 1"),
        (lambda lake: registry.promote(lake, "forest", 2, **BY), "forest/2 is the champion already"),
        (lambda lake: registry.roll_back(lake, "forest", version=3, **BY), "never in force"),
        (lambda lake: registry.challenge(lake, "forest", 1, **BY), "stands in the registry already"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(entered: Lake, do, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        do(entered)
    assert roles(entered) == {1: "archived", 2: "champion", 3: "challenger"}


def published(store: ModelStore, tmp_path: Path, versions: int) -> None:
    made = tmp_path / "made"
    made.mkdir()
    for version in range(1, versions + 1):
        (made / "model.onnx").write_text(f"version {version}")
        store.publish("forest", made, **ABOUT)


def test_a_process_takes_over_a_promoted_model_and_a_rolled_back_one(
    entered: Lake, store: ModelStore, tmp_path: Path
) -> None:
    published(store, tmp_path, 3)
    models = InForce(entered, store, tmp_path / "cache")
    assert (models.champion("forest").version, models.challenger("forest").version) == (2, 3)
    registry.promote(entered, "forest", 3, **BY)
    held = models.champion("forest")
    assert (held.folder / "model.onnx").read_text() == "version 3"
    assert models.challenger("forest") is None
    published_again = store.publish("forest", tmp_path / "made", **ABOUT)
    registry.challenge(entered, "forest", published_again.version, **BY)
    assert models.challenger("forest").version == 4
    (tmp_path / "made" / "model.onnx").write_text("version 5")
    store.publish("forest", tmp_path / "made", **ABOUT)
    (tmp_path / "models" / "forest" / "5" / "model.onnx").unlink()
    registry.challenge(entered, "forest", 5, **BY)
    assert models.challenger("forest") is None, "a refused challenger has no stand-in"
    registry.roll_back(entered, "forest", **BY)
    assert models.champion("forest").manifest.label == "forest/2"
    assert models.champion("other") is None


def test_a_refused_model_leaves_the_last_good_one_in_force_also_after_a_restart(
    entered: Lake, store: ModelStore, tmp_path: Path
) -> None:
    published(store, tmp_path, 3)
    models = InForce(entered, store, tmp_path / "cache")
    assert models.champion("forest").version == 2
    damaged = tmp_path / "models" / "forest" / "3" / "model.onnx"
    whole = damaged.read_bytes()
    damaged.write_bytes(b"damaged")
    registry.promote(entered, "forest", 3, **BY)
    assert models.champion("forest").version == 2
    assert InForce(entered, store, tmp_path / "other").champion("forest").version == 2
    damaged.write_bytes(whole)
    assert models.champion("forest").version == 3, "once it is mended it is taken over"
