"""The store of models: what is published comes back the same, and nothing else is ever handed out."""

import json
from pathlib import Path

import pytest

from lakehouse.models.manifest import Manifest
from lakehouse.models.objects import Folder
from lakehouse.models.store import ModelStore
from sensorlake.errors import ModelError

KEY = "of this test"
ABOUT = {"training_set": {"version": 4}, "parameters": {"trees": 10}, "metrics": {"roc_auc": 0.9}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def store(root: Path) -> ModelStore:
    return ModelStore.in_folder(root, KEY)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A model as training leaves it: files, also in folders."""
    folder = tmp_path / "made"
    (folder / "variables").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"onnx" * 1000)
    (folder / "variables" / "data").write_bytes(bytes(range(256)))
    return folder


def test_what_was_published_comes_back_the_same(store: ModelStore, made: Path, tmp_path: Path) -> None:
    published = store.publish("forest", made, **ABOUT)
    place = store.fetch("forest", 1, tmp_path / "here")
    assert place == tmp_path / "here" / "forest" / "1"
    for path in ("model.onnx", "variables/data"):
        assert (place / path).read_bytes() == (made / path).read_bytes()
    assert Manifest.of_json((place / "manifest.json").read_bytes(), "here") == published == store.manifest("forest", 1)
    assert (published.metrics, published.code_version != "") == ({"roc_auc": 0.9}, True)


def test_each_publication_is_a_version_of_its_own(store: ModelStore, made: Path) -> None:
    assert [store.publish("forest", made, **ABOUT).version for _ in range(3)] == [1, 2, 3]
    store.publish("other", made, **ABOUT)
    assert (store.names(), store.versions("forest"), store.versions("other")) == (["forest", "other"], [1, 2, 3], [1])


def test_a_publication_that_broke_off_is_no_version_and_its_number_is_not_given_again(
    store: ModelStore, made: Path, root: Path
) -> None:
    class Breaking(Folder):
        def write(self, name: str, content: bytes) -> None:
            if name.endswith("variables/data"):
                raise OSError("the line went dead")
            super().write(name, content)

    with pytest.raises(OSError, match="went dead"):
        ModelStore(Breaking(root), KEY).publish("forest", made, **ABOUT)
    assert store.versions("forest") == []
    assert store.publish("forest", made, **ABOUT).version == 2
    assert store.versions("forest") == [2]


def test_two_publishers_never_share_a_number(root: Path, made: Path) -> None:
    class Late(Folder):
        """Sees nothing of what another has just begun."""

        def names(self, prefix: str) -> list[str]:
            return [] if prefix else super().names(prefix)

    first = ModelStore(Late(root), KEY).publish("forest", made, **ABOUT)
    second = ModelStore(Late(root), KEY).publish("forest", made, **ABOUT)
    assert (first.version, second.version) == (1, 2)


@pytest.mark.parametrize(
    "damage",
    [
        (lambda version: (version / "model.onnx").write_bytes(b"onnx" * 999 + b"omnx"), "model.onnx .* damaged"),
        (lambda version: (version / "variables/data").unlink(), "lacks its file variables/data"),
        (lambda version: (version / "manifest.json").write_text("{"), "no manifest of a model"),
        (lambda version: _change(version, metrics={"roc_auc": 1.0}), "was changed since"),
        (lambda version: _change(version, files={}), "was changed since"),
        (lambda version: _change(version, files={"../../x": "0"}), "outside its folder"),
        (lambda version: _change(version, signature=""), "not signed"),
        (lambda version: (version / "manifest.json").unlink(), "there are: 1$"),
    ],
)
def test_a_damaged_or_changed_version_is_refused_and_what_was_in_place_stays(
    store: ModelStore, made: Path, root: Path, tmp_path: Path, damage: tuple
) -> None:
    here = tmp_path / "here"
    for _ in range(2):
        store.publish("forest", made, **ABOUT)
    good = store.fetch("forest", 1, here)
    do, said = damage
    do(root / "forest" / "2")
    with pytest.raises(ModelError, match=said):
        store.fetch("forest", 2, here)
    assert [path.name for path in (here / "forest").iterdir()] == ["1"]
    assert store.fetch("forest", 1, here) == good


def test_another_key_is_not_believed_and_no_key_is_said_so(store: ModelStore, made: Path, root: Path) -> None:
    store.publish("forest", made, **ABOUT)
    with pytest.raises(ModelError, match="SENSORLAKE_MODEL_SIGNING_KEY"):
        ModelStore.in_folder(root, "another").manifest("forest", 1)
    with pytest.raises(ModelError, match=r"no key .* SENSORLAKE_MODEL_SIGNING_KEY"):
        ModelStore.in_folder(root, "").publish("forest", made, **ABOUT)


def test_an_old_version_cannot_pose_as_a_new_one(store: ModelStore, made: Path, root: Path, tmp_path: Path) -> None:
    store.publish("forest", made, **ABOUT)
    (root / "forest" / "1").rename(root / "forest" / "9")
    with pytest.raises(ModelError, match="manifest of forest/1"):
        store.fetch("forest", 9, tmp_path / "here")


def test_what_was_damaged_after_it_was_fetched_is_fetched_again(store: ModelStore, made: Path, tmp_path: Path) -> None:
    store.publish("forest", made, **ABOUT)
    place = store.fetch("forest", 1, tmp_path / "here")
    (place / "model.onnx").write_bytes(b"")
    assert store.fetch("forest", 1, tmp_path / "here") == place
    assert (place / "model.onnx").read_bytes() == b"onnx" * 1000


def test_what_cannot_be_signed_is_refused_before_anything_is_written(
    store: ModelStore, made: Path, root: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="cannot be signed"):
        store.publish("forest", made, **{**ABOUT, "metrics": {"roc_auc": float("nan")}})
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no file"):
        store.publish("forest", tmp_path / "empty", **ABOUT)
    assert not root.exists()


def test_the_key_is_shown_neither_by_the_store_nor_by_a_manifest(store: ModelStore, made: Path) -> None:
    published = store.publish("forest", made, **ABOUT)
    assert KEY not in repr(store) + repr(published) + published.to_json()


def _change(version: Path, **changes: object) -> None:
    path = version / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes), encoding="utf-8")
