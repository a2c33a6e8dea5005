"""Models from training set to promotion and rollback, on small sets, with a real TensorFlow, in one module: its import
alone takes seconds."""

from datetime import UTC, datetime, timedelta, tzinfo

import dagster as dg
import numpy as np
import pytest

from detection.models import examples, lstm_autoencoder
from lakehouse.lake import Lake
from lakehouse.models import registry
from lakehouse.models.store import ISOLATION_FOREST, LSTM_AUTOENCODER, ModelStore
from lakehouse.tables import MODEL_SCORES, TRAINING_SETS
from orchestration.defs.models import checks, jobs
from orchestration.defs.models.judgement import champion_model, model_evaluation
from orchestration.defs.models.models import isolation_forest
from orchestration.defs.models.models import lstm_autoencoder as autoencoder
from orchestration.defs.models.training_set import training_set
from orchestration.resources.installation import Installation
from orchestration.training import sets
from tests.orchestration.rows import read

KEY = "of these tests"
ASSETS = [training_set, isolation_forest, autoencoder, model_evaluation, champion_model]
CHECKS = [checks.training_set_checks, checks.champions_beat_chance, checks.champions_are_whole]
TINY = {
    "training_set": {"source": "generated", "devices": 40, "minutes": 40, "interval_seconds": 2.0},
    "isolation_forest": {"trees": 30},
    "lstm_autoencoder": {"encoder": [16, 8], "decoder": [8, 16], "epochs": 2, "most_sequences": 600},
    "model_evaluation": {"rounds": 60, "most_rows": 3000},
}


class Afternoon:
    """One time for the generated fleet, whose daily cycles make each hour another set: at some hours a forest of this
    size is better than a poor one by less than the margin of a promotion."""

    @staticmethod
    def now(zone: tzinfo) -> datetime:
        return datetime(2026, 11, 22, 15, 20, 30, tzinfo=zone)


class Quiet(Installation):
    """An installation whose operators have said nothing."""

    def verdicts(self) -> dict[str, bool]:
        return {}


def config(**changes: dict) -> dict:
    return {"ops": {name: {"config": given | changes.get(name, {})} for name, given in TINY.items()}}


def run(lake: Lake, selection: list, instance: dg.DagsterInstance, **changes: dict) -> dg.ExecuteInProcessResult:
    chosen = {asset.key.path[-1] for asset in selection if asset in ASSETS}
    ops = {name: given for name, given in config(**changes)["ops"].items() if name in chosen}
    return dg.materialize(
        selection,
        instance=instance,
        resources={"installation": Quiet(lake_root=lake.root)},
        run_config={"ops": ops},
        raise_on_error=False,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, dg.ExecuteInProcessResult]:
    """A lake in which both models were trained, judged and promoted once."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENSORLAKE_MODEL_SIGNING_KEY", KEY)
        patch.setenv("SENSORLAKE_DATA_DIR", str(folder))
        patch.setattr("orchestration.defs.models.training_set.datetime", Afternoon)
        patch.chdir(folder)
        lake = Lake(str(folder / "lake"))
        return lake, run(lake, [*ASSETS, *CHECKS], dg.DagsterInstance.ephemeral(tempdir=str(folder)))


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("SENSORLAKE_MODEL_SIGNING_KEY", KEY)
    monkeypatch.setenv("SENSORLAKE_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def lake(trained) -> Lake:
    return trained[0]


@pytest.fixture
def store(lake: Lake) -> ModelStore:
    return ModelStore.in_folder(f"{lake.root}-models", KEY)


def test_the_first_models_beat_chance_and_are_in_force(trained, store: ModelStore) -> None:
    lake, result = trained
    assert result.success
    assert {check.check_name for check in result.get_asset_check_evaluations() if not check.passed} == set()
    for name in (ISOLATION_FOREST, LSTM_AUTOENCODER):
        champion = registry.champion(lake, name)
        assert (champion.version, champion.trained_on) == (1, 1), name
        assert "against chance" in champion.why
        manifest = store.manifest(name, 1)
        assert manifest.training_set["version"] == 1
        assert manifest.code_version.startswith("0.")


def test_the_judgement_says_how_good_each_model_is_over_all_and_by_kind(lake: Lake) -> None:
    every = read(lake, MODEL_SCORES)
    rows = [row for row in every if row["judged_at"] == min(each["judged_at"] for each in every)]
    for name in (ISOLATION_FOREST, LSTM_AUTOENCODER):
        mine = {row["kind"]: row for row in rows if row["name"] == name}
        assert mine.keys() > {"all", "drift", "noise"}, name
        whole = mine["all"]
        assert whole["roc_auc"] > 0.6, name
        assert whole["difference_low"] > 0
        assert whole["against"] == "chance"
        assert len(whole["curve_recall"]) == len(whole["curve_precision"]) > 10
        assert sum(row["abnormal"] for kind, row in mine.items() if kind != "all") == whole["abnormal"]


def test_the_saved_model_onnx_and_keras_give_the_same_answers(lake: Lake, store: ModelStore, tmp_path) -> None:
    import tensorflow  # noqa: PLC0415  only here

    place, manifest = store.fetch(LSTM_AUTOENCODER, 1, tmp_path), store.manifest(LSTM_AUTOENCODER, 1)
    given = examples.windows(sets.newest(lake).data).x[:100]
    copy, error = lstm_autoencoder.Scorer(place / "model.onnx", manifest.parameters).reconstruct(given)
    served = tensorflow.saved_model.load(str(place)).signatures["serving_default"](sequence=tensorflow.constant(given))
    assert np.abs(served["reconstruction"].numpy() - copy).max() < 1e-4
    assert np.abs(served["error"].numpy() - error).max() < 1e-4
    assert error == pytest.approx(((given - copy) ** 2).mean(axis=(1, 2)), abs=1e-4)


def test_the_threshold_is_the_95th_percentile_of_the_error_on_validation(
    lake: Lake, store: ModelStore, tmp_path
) -> None:
    place, manifest = store.fetch(LSTM_AUTOENCODER, 1, tmp_path), store.manifest(LSTM_AUTOENCODER, 1)
    rows = examples.windows(sets.newest(lake).data).thinned(TINY["lstm_autoencoder"]["most_sequences"], 0)
    error = lstm_autoencoder.Scorer(place / "model.onnx", manifest.parameters).score(rows.normal("validation"))
    assert manifest.parameters["threshold"] == pytest.approx(np.percentile(error, 95), rel=1e-3)


def test_the_same_seed_trains_the_same_network_and_tells_its_progress() -> None:
    given = np.random.default_rng(0).normal(0, 1, (64, 50, 6)).astype(np.float32)
    sizes = lstm_autoencoder.Sizes(encoder=(8, 4), decoder=(4, 8), epochs=2, batch=32)
    told: dict[int, float] = {}
    one = lstm_autoencoder.train(given, given, sizes, 3, lambda epoch, losses: told.update({epoch: losses["loss"]}))
    other = lstm_autoencoder.train(given, given, sizes, 3)
    assert list(told) == [1, 2]
    assert one.parameters == other.parameters
    for left, right in zip(one.network.get_weights(), other.network.get_weights(), strict=True):
        assert (left == right).all()


def test_an_equal_challenger_stays_in_shadow_a_better_one_is_promoted_and_rolled_back(
    trained, instance: dg.DagsterInstance, store: ModelStore
) -> None:
    lake, _ = trained
    # From the same set by the same seed, it is the champion once more.
    assert run(lake, [isolation_forest, model_evaluation, champion_model], instance).success
    assert registry.champion(lake, ISOLATION_FOREST).version == 1
    assert registry.challenger(lake, ISOLATION_FOREST).version == 2
    shown = run(lake, [model_evaluation, champion_model], instance)
    assert "the lower end must exceed" in metadata(shown, "champion_model")["isolation_forest/why"].value
    assert not metadata(shown, "champion_model")["isolation_forest/promoted"].value
    registry.promote(lake, ISOLATION_FOREST, worse(lake, store), by="ada", why="to have a poor one")
    run(lake, [isolation_forest], instance)
    better = registry.challenger(lake, ISOLATION_FOREST).version
    assert run(lake, [model_evaluation, champion_model], instance).success
    assert registry.champion(lake, ISOLATION_FOREST).version == better
    resources = {"installation": Quiet(lake_root=lake.root)}
    back = {"name": ISOLATION_FOREST, "version": 1, "by": "ada", "why": "a test"}
    given = {"ops": {"roll_back_model_op": {"config": back}}}
    assert jobs.rollback_model.execute_in_process(given, resources=resources).success
    assert registry.champion(lake, ISOLATION_FOREST).version == 1
    given = {"ops": {"promote": {"config": back | {"version": better}}}}
    assert jobs.promote_model.execute_in_process(given, resources=resources).success
    assert registry.champion(lake, ISOLATION_FOREST).version == better


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict:
    return result.asset_materializations_for_node(asset)[0].metadata


def worse(lake: Lake, store: ModelStore) -> int:
    """A forest that learned that what detectors ring for is usual, published and entered."""
    import tempfile  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from detection import standard  # noqa: PLC0415
    from detection.models import isolation_forest as forests  # noqa: PLC0415

    names = standard.ensemble().names
    high = np.random.default_rng(1).uniform(7, 14, (500, len(names))).astype(np.float32)
    made = forests.train(high, high, names, forests.Sizes(trees=5, samples=16), 0)
    with tempfile.TemporaryDirectory() as folder:
        made.export(Path(folder))
        about = {"training_set": {}, "metrics": {}, "parameters": made.parameters}
        version = store.publish(ISOLATION_FOREST, Path(folder), **about).version
    registry.challenge(lake, ISOLATION_FOREST, version, by="ada", why="a poor one")
    return version


def test_a_set_that_cannot_be_learned_from_stops_training(tmp_path, instance: dg.DagsterInstance) -> None:
    own = Lake(str(tmp_path / "lake"))
    result = run(
        own, [training_set, isolation_forest, checks.training_set_checks], instance, training_set={"fault_share": 0.0}
    )
    assert not result.success
    failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
    assert failed == {"something_to_find"}
    assert registry.standings(own) == []


def test_versions_of_the_training_set_are_numbered_and_old_ones_go(tmp_path) -> None:
    own, now = Lake(str(tmp_path / "lake")), datetime(2026, 11, 18, 12, tzinfo=UTC)
    wanted = sets.Wanted(source="generated", devices=3, minutes=2)
    numbers = [sets.make(own, wanted, {}, now + timedelta(minutes=place))["version"] for place in range(7)]
    assert numbers == [1, 2, 3, 4, 5, 6, 7]
    assert {row["version"] for row in read(own, TRAINING_SETS)} == {3, 4, 5, 6, 7}
    assert sets.newest(own).version == 7
