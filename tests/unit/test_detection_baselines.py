"""What is learned of a series from its windows, and from how far outside the usual a reading counts as abnormal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection import baselines, limits, mixtures, stability
from detection.baselines import Shift
from detection.groups import Groups
from detection.windows import Windows
from edge.simulator import Simulator

MINUTE = 60_000_000
HOUR = Shift(lasting=60 * MINUTE)


def windows(mean, stddev=1.0, count=6.0, series=0, of=1):
    """One window a minute, the first at 0."""
    mean = np.asarray(mean, np.float64)
    start = np.arange(len(mean), dtype=np.int64) * MINUTE
    stddev = np.broadcast_to(np.asarray(stddev, np.float64), mean.shape)
    return Windows(
        np.full(len(mean), series),
        of,
        start,
        start + MINUTE,
        np.full(len(mean), count),
        mean,
        stddev,
        mean - stddev,
        mean + stddev,
        np.zeros(len(mean)),
    )


def learn(given, until=None, shift=HOUR):
    return baselines.learn(given, int(given.end.max(initial=0)) if until is None else until, shift)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(-1e6, 1e6), st.integers(1, 9)), min_size=1, max_size=60),
    st.floats(0.01, 1.0),
)
def test_quantiles_of_groups_are_those_of_each_group_alone(rows, share):
    group, value, weight = (np.array(column) for column in zip(*rows, strict=True))
    found = Groups(group.astype(np.int64), 4).quantiles(value, weight.astype(float), (share,))[:, 0]
    for number in range(4):
        repeated = np.sort(np.repeat(value[group == number], weight[group == number]))
        if len(repeated) == 0:
            assert np.isnan(found[number])
        else:
            place = int(np.ceil(share * len(repeated) * (1 - 1e-12))) - 1
            assert found[number] == repeated[max(place, 0)]


def test_the_spread_of_readings_is_that_within_windows_and_between_them():
    random = np.random.default_rng(0)
    readings = 50 + random.normal(0, 3.0, 2000)[:, None] + random.normal(0, 4.0, (2000, 30))
    found = learn(windows(readings.mean(axis=1), readings.std(axis=1), count=30.0))
    assert found.centre[0] == pytest.approx(50, abs=0.5)
    assert found.spread[0] == pytest.approx(5.0, rel=0.05)
    assert found.stddev[0] == pytest.approx(readings.std(), rel=1e-9), "the plain one is exact"
    assert found.mean[0] == pytest.approx(readings.mean())


def test_a_fault_in_a_tenth_of_the_windows_changes_little():
    random = np.random.default_rng(1)
    mean = 20 + random.normal(0, 1.0, 300)
    clean = learn(windows(mean, 0.5))
    mean[::10] = 500.0
    faulty = learn(windows(mean, 0.5))
    assert faulty.centre[0] == pytest.approx(clean.centre[0], abs=0.3)
    assert faulty.spread[0] == pytest.approx(clean.spread[0], rel=0.25)
    assert faulty.stddev[0] > 100


def test_a_constant_series_has_no_spread_and_one_with_two_values_has_some():
    assert learn(windows([5.0] * 100, 0.0)).spread[0] == 0
    assert learn(windows([5.0] * 60 + [6.0] * 40, 0.0)).spread[0] > 0


def test_a_level_that_has_lasted_starts_the_baseline_anew():
    found = learn(windows([20.0] * 500 + [30.0] * 70, 0.5))
    assert found.shifted_at[0] == 500 * MINUTE
    assert found.since[0] == 500 * MINUTE
    assert found.centre[0] == 30.0


@pytest.mark.parametrize(
    "mean",
    [
        [20.0] * 500 + [30.0] * 40,
        [20.0] * 500 + [20.5] * 70,
        ([20.0] * 5 + [30.0] * 5) * 60,
        [30.0] * 70,
    ],
    ids=["too short", "too near", "to and fro", "nothing before it"],
)
def test_what_is_no_new_level(mean):
    assert learn(windows(mean, 0.5)).shifted_at[0] == -1


def test_a_device_that_fell_silent_has_no_new_level():
    given = windows([20.0] * 500 + [30.0] * 70, 0.5)
    assert learn(given, until=int(given.end.max()) + 600 * MINUTE).shifted_at[0] == -1


def test_series_do_not_touch_each_other():
    first, second = windows([20.0] * 100, 0.5, series=0, of=2), windows([70.0] * 50, 0.0, series=1, of=2)
    both = Windows(
        *[
            2 if name == "series_count" else np.concatenate([getattr(first, name), getattr(second, name)])
            for name in Windows.__dataclass_fields__
        ]
    )
    together = learn(both)
    assert list(together.centre) == [20.0, 70.0]
    assert list(together.windows) == [100, 50]
    assert together.within[1] == 0


def test_the_shape_of_the_day_is_told_by_hour():
    mean = [10.0] * 60 + [16.0] * 60
    found = learn(windows(mean, 0.5), shift=Shift(lasting=10_000 * MINUTE))
    assert found.hours.shape == (1, 24)
    assert found.hours[0, 1] - found.hours[0, 0] == pytest.approx(6.0)
    assert not found.hours[0, 2:].any()


def test_limits_of_a_constant_device_follow_its_metric_and_those_of_heavy_tails_its_extremes():
    learned = limits.learn(
        centre=np.array([20.0, 20.0, 20.0]),
        within=np.array([0.0, 1.0, 1.0]),
        between=np.zeros(3),
        windows=np.full(3, 60),
        low=np.array([20.0, 17.0, 10.0]),
        high=np.array([20.0, 23.0, 30.0]),
        metric=np.array([0, 0, 0]),
        z_limit=np.full(3, 6.0),
    )
    assert learned.stddev[0] == pytest.approx(0.02), (
        "a thousandth of its value is more than a hundredth of the metric's"
    )
    assert learned.z_limit[1] == 6.0
    assert learned.z_limit[2] == pytest.approx(11.0), "usual extremes are no alarms"


def test_alarms_are_counted_as_windows_tell():
    given = windows([0.0, 5.0, 20.0], 2.0)
    found = limits.alarms(given, np.array([-1.0]), np.array([10.0]))
    assert found[0] == 1 + 0 + 6, "one extreme below, none, a whole window above"


def test_stability_tells_a_shift_from_chance():
    random = np.random.default_rng(2)
    deciles = np.quantile(random.normal(0, 1, 10_000), np.arange(1, 10) / 10)[None, :]
    zero = np.zeros(1000, np.int64)

    def index(values):
        fallen = np.bincount(stability.bins(zero, values, deciles), minlength=stability.BINS)
        return stability.index(fallen.astype(float), stability.shares(deciles, np.array([9.0]))[0])

    assert index(random.normal(0, 1, 1000)) < 0.05
    assert 0.1 < index(random.normal(0.5, 1, 1000)) < 0.5
    assert index(random.normal(3, 1, 1000)) > 1


def test_a_constant_series_is_stable_as_long_as_it_stays():
    deciles = np.full((1, 9), 5.0)
    expected = stability.shares(deciles, np.array([5.0]))[0]
    assert expected.sum() == pytest.approx(1)

    def index(value):
        fallen = np.bincount(stability.bins(np.zeros(300, np.int64), np.full(300, value), deciles), minlength=10)
        return stability.index(fallen.astype(float), expected)

    assert index(5.0) < 0.2
    assert index(6.0) > 1


def test_the_quantiles_of_a_mixture_of_two_halves():
    known = np.array([[0.0, 0.5, 2.5, 5.0, 7.5, 9.5, 10.0], [10.0, 10.5, 12.5, 15.0, 17.5, 19.5, 20.0]])
    found = mixtures.quantiles(Groups(np.array([0, 0]), 1), np.array([100.0, 100.0]), known, (0.05, 0.5, 0.95))
    assert found[0] == pytest.approx([1.0, 10.0, 19.0], abs=1e-6)


@pytest.mark.parametrize(("windows", "least", "most"), [(2, 10, 20), (10, 1.6, 1.7), (1440, 1, 1.05)])
def test_the_deviation_between_few_windows_may_be_larger_than_it_looks(windows, least, most):
    assert least < limits.likely_at_most(np.array([1.0]), np.array([windows]))[0] < most


def test_the_first_limits_of_a_fleet_raise_few_false_alarms():
    """A fleet as `sensorlake simulate` has it, whose working cycles take 5 to 60 minutes, learned from two minutes and
    judged in the three that follow; and the same, were the two windows taken for all that there is to know."""
    run = Simulator(1000, anomaly_rate=0, seed=7, start=1_795_000_020_000_000 // MINUTE * MINUTE, seconds=300)
    sensor, time, value, _ = run.readings(0, run.total)
    known = time < run.start + 2 * MINUTE
    found = baselines.learn(closed(sensor[known], time[known], value[known], run.sensors), run.start + 2 * MINUTE, HOUR)

    def false_alarms(windows):
        learned = limits.learn(
            **{name: getattr(found, name) for name in ("centre", "within", "between", "low", "high")},
            windows=windows,
            metric=run.fleet.metric,
            z_limit=np.full(run.sensors, 6.0),
        )
        distance = np.abs(value - learned.mean[sensor]) / learned.stddev[sensor]
        return (distance > learned.z_limit[sensor])[~known].mean()

    assert set(found.windows) == {2}
    assert false_alarms(found.windows) < 0.001
    assert false_alarms(np.full(run.sensors, 10_000)) > 10 * false_alarms(found.windows)


def closed(series, time, value, of):
    """The windows of a minute that these readings fall into."""
    cell, place = np.unique(series * 10**9 + time // MINUTE - time.min() // MINUTE, return_inverse=True)
    number = np.bincount(place)
    mean = np.bincount(place, value) / number
    least, greatest = np.full(len(cell), np.inf), np.full(len(cell), -np.inf)
    np.minimum.at(least, place, value)
    np.maximum.at(greatest, place, value)
    start = (cell % 10**9 + time.min() // MINUTE) * MINUTE
    deviation = np.sqrt(np.bincount(place, (value - mean[place]) ** 2) / number)
    count = number.astype(float)
    return Windows(
        cell // 10**9, of, start, start + MINUTE, count, mean, deviation, least, greatest, np.zeros(len(cell))
    )
