"""The isolation forest: repeatable, the same through ONNX Runtime as in scikit-learn, and useful."""

from pathlib import Path

import numpy as np
import pytest

from detection import standard
from detection.messages import Readings
from detection.models import isolation_forest, message_scores
from detection.models.isolation_forest import Scorer, Sizes
from sensorlake.errors import ModelError

SIZES = Sizes(trees=40, samples=128, alarm_share=0.01)


@pytest.fixture(scope="module")
def normal():
    return np.abs(np.random.default_rng(3).normal(0, 0.3, (4000, 3))).astype(np.float32)


@pytest.fixture(scope="module")
def trained(normal):
    return isolation_forest.train(normal[:3000], normal[3000:], ("a", "b", "c"), SIZES, seed=5)


def test_it_scores_through_onnx_runtime_as_in_scikit_learn(trained, normal, tmp_path: Path):
    trained.export(tmp_path)
    scorer = Scorer(tmp_path / "model.onnx", trained.parameters)
    rows = np.vstack([normal, normal * 10, np.zeros((1, 3), np.float32)])
    assert scorer.score(rows) == pytest.approx(-trained.forest.score_samples(rows), abs=1e-5)
    assert scorer.features == ("a", "b", "c")
    assert len(scorer.score(rows[:0])) == 0


def test_the_same_seed_gives_the_same_forest_and_another_one_another(trained, normal):
    again = isolation_forest.train(normal[:3000], normal[3000:], ("a", "b", "c"), SIZES, seed=5)
    assert (again.forest.score_samples(normal) == trained.forest.score_samples(normal)).all()
    other = isolation_forest.train(normal[:3000], normal[3000:], ("a", "b", "c"), SIZES, seed=6)
    assert other.parameters["threshold"] != trained.parameters["threshold"]


def test_its_threshold_lets_the_share_of_alarms_through_that_was_allowed(trained, normal, tmp_path: Path):
    trained.export(tmp_path)
    scorer = Scorer(tmp_path / "model.onnx", trained.parameters)
    assert (scorer.score(normal[3000:]) > scorer.threshold).mean() == pytest.approx(0.01, abs=0.002)


def test_what_no_detector_finds_alone_stands_out(trained, normal, tmp_path: Path):
    """Each score is one that a normal message reaches now and then, but never all three at once."""
    trained.export(tmp_path)
    scorer = Scorer(tmp_path / "model.onnx", trained.parameters)
    most = np.quantile(normal, 0.995, axis=0).astype(np.float32)
    alone = np.diag(most).astype(np.float32)
    assert scorer.score(most[None])[0] > scorer.score(alone).max()


def test_too_few_messages_are_refused(normal):
    with pytest.raises(ModelError, match="more devices or a longer time"):
        isolation_forest.train(normal[:5], normal, ("a", "b", "c"), SIZES, seed=0)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="no model that ONNX Runtime can read"):
        Scorer(tmp_path / "model.onnx", {"features": ["a"], "threshold": 0.5})


def test_its_input_is_the_calibrated_score_of_each_detector():
    seconds = 400
    time = np.arange(seconds) * 1_000_000
    value = np.random.default_rng(0).normal(20, 0.1, seconds)
    value[-1] = 25
    zeros = np.zeros(seconds, np.int64)
    ensemble = standard.ensemble()
    matrix, verdicts = message_scores.judged(ensemble, Readings(["a"], ["t"], zeros, zeros, time, value))
    assert matrix.shape == (seconds, len(ensemble.names))
    assert matrix.dtype == np.float32
    assert np.expm1(matrix) == pytest.approx(verdicts.by_detector, rel=1e-4, abs=1e-6)
    assert matrix[-1].max() > 2 * matrix[100:-1].max()
    wanted = tuple(reversed(ensemble.names))
    assert (message_scores.columns(matrix, ensemble.names, wanted) == matrix[:, ::-1]).all()
