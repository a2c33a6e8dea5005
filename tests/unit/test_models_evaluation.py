"""Evaluation: the same figures as scikit-learn's, and an interval that knows what chance is."""

import numpy as np
import pytest
from sklearn import metrics

from detection.models import evaluation


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("ties", [False, True])
def test_figures_and_curves_are_those_of_scikit_learn(rng, ties):
    label = rng.random(3000) < 0.1
    score = rng.normal(0, 1, 3000) + 1.5 * label
    score = np.round(score, 1) if ties else score
    found = evaluation.figures(score, label, 1.0)
    assert found.roc_auc == pytest.approx(metrics.roc_auc_score(label, score))
    assert found.pr_auc == pytest.approx(metrics.average_precision_score(label, score))
    alarm = score >= 1.0
    assert found.precision == pytest.approx(metrics.precision_score(label, alarm))
    assert found.recall == pytest.approx(metrics.recall_score(label, alarm))
    assert found.f1 == pytest.approx(metrics.f1_score(label, alarm))
    assert found.false_alarm_rate == pytest.approx(alarm[~label].mean())
    drawn = evaluation.curves(score, label)
    assert len(drawn.recall) <= evaluation.CURVE_POINTS
    assert metrics.auc(drawn.false_alarm_rate, drawn.detection_rate) == pytest.approx(found.roc_auc, abs=0.01)
    assert (np.diff(drawn.recall) >= 0).all()
    assert drawn.recall[-1] == 1
    assert drawn.precision[-1] == pytest.approx(label.mean())


def test_each_kind_is_judged_beside_all_normal_rows():
    label = np.array([False] * 50 + [True] * 20)
    kind = np.array([""] * 50 + ["spike"] * 10 + ["drift"] * 10)
    score = np.concatenate([np.linspace(0, 1, 50), np.full(10, 2.0), np.full(10, 0.5)])
    found = {each.kind: each for each in evaluation.by_kind(score, label, kind, 1.5)}
    assert list(found) == ["all", "drift", "spike"]
    assert (found["spike"].recall, found["drift"].recall, found["all"].recall) == (1.0, 0.0, 0.5)
    assert (found["spike"].rows, found["spike"].abnormal, found["spike"].roc_auc) == (60, 10, 1.0)


def test_figures_that_are_not_defined_are_no_numbers(rng):
    score = rng.random(10)
    found = evaluation.figures(score, np.zeros(10, bool), 2.0)
    assert np.isnan([found.roc_auc, found.pr_auc, found.precision, found.recall, found.f1]).all()
    assert found.false_alarm_rate == 0


def test_a_better_scorer_is_told_from_one_that_is_only_lucky(rng):
    group = np.repeat(np.arange(60), 50)
    label = rng.random(3000) < 0.1
    poor = rng.normal(0, 1, 3000) + 0.5 * label
    same, better = poor + rng.normal(0, 0.2, 3000), rng.normal(0, 1, 3000) + 2.5 * label
    found = evaluation.compare(better, poor, label, group)
    assert 0 < found.low < found.difference < found.high
    lucky = evaluation.compare(same, poor, label, group)
    assert lucky.low < 0.02
    again = evaluation.compare(better, poor, label, group)
    assert again == found, "seeded"


def test_few_devices_are_few_witnesses_however_many_rows_they_have(rng):
    """A thousand rows of each of four devices, of which one is scored well."""
    group = np.repeat(np.arange(4), 1000)
    label = np.tile(np.arange(1000) >= 900, 4)
    one, other = (rng.normal(0, 1, 4000) for _ in range(2))
    one = one + 6 * (label & (group == 0))
    by_device = evaluation.compare(one, other, label, group)
    by_row = evaluation.compare(one, other, label, np.arange(4000))
    assert by_row.low > 0.1
    assert by_device.low < 0.05


def test_lots_do_not_beat_chance_and_a_scorer_does(rng):
    group, label = np.repeat(np.arange(50), 20), rng.random(1000) < 0.2
    assert evaluation.beats_chance(rng.random(1000), label, group).low <= 0
    assert evaluation.beats_chance(rng.random(1000) + label, label, group).low > 0.2


def test_nothing_abnormal_supports_nothing(rng):
    found = evaluation.compare(rng.random(20), rng.random(20), np.zeros(20, bool), np.arange(20))
    assert (found.low, found.high) == (-np.inf, np.inf)
