"""From labelled readings to the rows that models see: nothing loses its label or gets into the wrong part."""

import numpy as np
import pytest

from detection import standard
from detection.messages import Readings
from detection.models import examples, faults
from detection.models.examples import NORMAL, TEST, TRAIN, VALIDATION, LabelledReadings

SECOND = 1_000_000
SECONDS = 1600


@pytest.fixture
def given() -> LabelledReadings:
    """Two devices, of which the first has two metrics, one reading a second in no order; the last 600 s are for the
    test, and from second 1300 to 1310 metric 1 of device 0 has a fault."""
    parts = []
    for device, metric in ((0, 0), (0, 1), (1, 0)):
        value = np.random.default_rng([device, metric]).normal(10 * (1 + metric), 0.2, SECONDS)
        parts.append((np.full(SECONDS, device), np.full(SECONDS, metric), np.arange(SECONDS) * SECOND, value))
    order = np.random.default_rng(9).permutation(3 * SECONDS)
    device, metric, time, value = (np.concatenate(column)[order] for column in zip(*parts, strict=True))
    abnormal = (device == 0) & (metric == 1) & (time >= 1300 * SECOND) & (time < 1310 * SECOND)
    value = np.where(abnormal, value + 5, value)
    part = np.where(time >= 1000 * SECOND, TEST, np.where(device == 0, TRAIN, VALIDATION))
    readings = Readings(["a", "b"], ["t", "h"], device, metric, time, value)
    return LabelledReadings(readings, abnormal, np.where(abnormal, "spike", NORMAL), part)


def test_a_message_has_the_label_of_any_of_its_readings(given):
    found = examples.messages(given, standard.ensemble(), settling=60)
    assert len(found) == 2 * (SECONDS - 60)
    faulty = found.where(found.abnormal)
    assert (faulty.time // SECOND).tolist() == list(range(1300, 1310))
    assert (set(faulty.device), set(faulty.kind), set(faulty.part)) == ({0}, {"spike"}, {TEST})
    # How long a fault stands out is the detectors' affair; that it begins in its own row is that of this module.
    assert faulty.x[0].max() > 2 * np.quantile(found.x[~found.abnormal].max(axis=1), 0.99)
    assert {part: set(found.device[found.part == part]) for part in (TRAIN, VALIDATION)} == {
        TRAIN: {0},
        VALIDATION: {1},
    }


def test_a_sequence_is_abnormal_as_long_as_the_fault_is_in_it(given):
    found = examples.windows(given)
    assert found.x.shape == (3 * (SECONDS // 10 - 49), 50, 6)
    assert np.isfinite(found.x).all()
    faulty = found.where(found.abnormal)
    assert (faulty.time // SECOND).tolist() == list(range(1310, 1610, 10)), "until the readings end"
    assert set(faulty.kind) == {"spike"}
    assert (np.abs(faulty.x).max(axis=(1, 2)) > 8).all()
    assert {NORMAL} == set(found.kind[~found.abnormal])
    assert len(found.normal(TRAIN)) == 2 * (100 - 49)
    assert len(found.normal(VALIDATION)) == 100 - 49


def test_thinning_keeps_so_many_of_each_part_and_is_repeatable(given):
    found = examples.windows(given)
    thin = found.thinned(20, seed=1)
    assert [int((thin.part == part).sum()) for part in (TRAIN, VALIDATION, TEST)] == [20, 20, 20]
    assert (thin.x == found.thinned(20, seed=1).x).all()


def test_faults_are_put_where_they_may_be_and_each_says_its_kind():
    series = np.repeat(np.arange(40), 300)
    time = np.tile(np.arange(300), 40)
    value = np.random.default_rng(0).normal(5, 1, len(series))
    open_to = time >= 150
    found, kind = faults.inject(series, time, value, open_to, share=0.5, seed=4)
    changed = found != value
    assert not (changed & ~open_to).any()
    assert not (changed & (kind == NORMAL)).any()
    assert len(set(series[kind != NORMAL])) == 20
    assert set(kind) == {*faults.KINDS, NORMAL}
    for number in set(series[kind == "stuck"]):
        assert len(set(found[(series == number) & (kind == "stuck")])) == 1
    assert np.abs(found - value)[kind == "spike"].min() > 7
    again, _ = faults.inject(series, time, value, open_to, share=0.5, seed=4)
    assert (again == found).all()
