"""What counts as growing: a line through the highest of each window, and how sure its slope is."""

import numpy as np
import pytest

from benchmarks import backlog, growth, soak, trend
from benchmarks.observers.progress import Place


def teeth(seconds, period, height, slope=0.0, noise=0.0):
    """A lag that rises for `period` seconds and falls to nothing, over a line."""
    times = np.arange(0, seconds, 1.0)
    random = np.random.default_rng(1)
    return times, height * (times % period) / period + slope * times + noise * random.normal(size=len(times))


def test_a_saw_tooth_does_not_grow():
    times, lags = teeth(180, 10, 100_000, noise=2000)
    line = trend.fit(times, lags, 15)
    assert line.windows == 11  # the last one is cut short
    assert not trend.grows(line, 10_000, 0.01)
    assert line.low <= 0 <= line.high


def test_a_saw_tooth_on_a_rising_line_grows():
    times, lags = teeth(180, 10, 100_000, slope=500, noise=2000)
    line = trend.fit(times, lags, 15)
    assert trend.grows(line, 10_000, 0.01)
    assert line.low < line.slope < line.high
    assert line.slope == pytest.approx(500, rel=0.2)


def test_a_slope_below_the_share_of_the_rate_is_no_growth():
    times, lags = teeth(180, 10, 1000, slope=50)
    line = trend.fit(times, lags, 15)
    assert line.rises
    assert not trend.grows(line, 10_000, 0.01)
    assert trend.grows(line, 1000, 0.01)


def test_a_steep_line_through_noise_is_not_sure():
    line = trend.fit([0, 10, 20, 30, 40, 50, 60], [0, 9000, 0, 9000, 0, 9000, 0], 10)
    assert line.slope > 0
    assert not trend.grows(line, 1, 0.01)


def test_too_few_windows_say_nothing():
    assert trend.fit([0, 1, 2, 3], [1, 2, 3, 4], 2) is None
    assert trend.fit([], [], 2) is None
    assert trend.grows(None, 1, 0.01) is None
    assert trend.is_flat(None, 0.1) is None


def test_the_interval_holds_the_true_slope_as_often_as_it_says():
    random = np.random.default_rng(7)
    times = np.arange(0, 120, 10.0)
    held = 0
    for _ in range(2000):
        line = trend.fit(times, 3 * times + random.normal(0, 50, len(times)), 10)
        held += line.low <= 3 <= line.high
    assert 0.935 < held / 2000 < 0.965


def test_flat_is_what_a_day_does_not_change_much():
    seconds = np.arange(0, 3600, 60.0)
    rising = trend.fit(seconds, 1000 + 0.001 * seconds, 300)
    assert rising.rises
    assert rising.a_day_more() == pytest.approx(86.4, rel=0.01)
    assert trend.is_flat(rising, 0.1)
    assert not trend.is_flat(rising, 0.05)


def test_a_lag_is_held_against_what_came_in():
    places = [Place(float(second), 9_900 * second, 10_000 * second) for second in range(60)]
    found = backlog.judged(places, 60)
    assert (found["rate"], found["grows"], found["highest"]) == (10_000, False, 5900)  # a hundredth is not above it
    places = [Place(float(second), 9_800 * second, 10_000 * second) for second in range(60)]
    assert backlog.judged(places, 60)["grows"] is True
    assert backlog.judged([], 60)["grows"] is None


def test_the_part_of_a_run_that_counts():
    places = {"lake": [Place(float(at), 0, at) for at in range(10)]}
    assert [place.at for place in backlog.between(places, 3, 5)["lake"]] == [3, 4]


def test_the_trends_of_a_soak_begin_after_the_warm_up():
    series = {
        "memory MB": {"stream": [(float(at), 500.0 if at < 60 else 900.0) for at in range(0, 660, 5)]},
        "disk MB": {"minio": [(float(at), 10.0 * at) for at in range(0, 660, 5)]},
    }
    memory, disk = soak.trends_of(series, 60, 600)
    assert (memory["level"], memory["a_day_more"], memory["flat"], memory["judged"]) == (900.0, 0.0, True, True)
    assert (disk["an_hour"], disk["flat"], disk["judged"]) == (36_000.0, False, False)


@pytest.mark.parametrize(
    ("costs", "exponent", "linear"),
    [
        ([5, 5, 5], 0.0, True),
        ([5, 50, 500], 1.0, True),
        ([5, 500, 500], 2.0, False),
        ([0, 5, 50], 1.0, True),
        ([None, 5, None], None, None),
    ],
)
def test_a_cost_grows_as_its_steepest_step(costs, exponent, linear):
    found = growth.exponent([10, 100, 1000], costs)
    assert found == exponent
    assert growth.is_linear(found) is linear


def test_how_constant_a_cost_is():
    assert growth.spread([10, 12, 11]) == 1.2
    assert growth.spread([10]) is None
    assert growth.spread([0, 10]) is None
