"""From raw scores to alarms: limits that hold their rate, one alarm a fault."""

import numpy as np
import pytest

from detection import tails
from detection.alarms import Hysteresis


@pytest.mark.parametrize("rate", [1e-3, 1e-4])
def test_the_limit_is_gone_beyond_about_as_often_as_allowed(rate) -> None:
    rng = np.random.default_rng(0)
    devices = 2_000
    state = tails.begin(devices, 1)
    for _ in range(400):
        tails.learn(state, np.abs(rng.normal(size=(devices, 1))), np.ones(devices, np.bool_), rate)
    fresh = np.abs(rng.normal(size=(devices, 2_000)))
    found = (fresh > state["limit"]).mean()
    # The tail of a normal distribution is thinner than exponential, so the limit is a little wide, never narrow.
    assert rate / 20 < found < 1.5 * rate


def test_without_enough_scores_there_is_no_limit_and_nan_is_no_score() -> None:
    state = tails.begin(2, 1)
    everything = np.ones(2, np.bool_)
    for number in range(tails.PEAKS):
        tails.learn(state, np.array([[float(number)], [np.nan]]), everything, 1e-3)
    assert np.isfinite(state["limit"][0, 0])
    assert np.isinf(state["limit"][1, 0])


def test_an_alarm_begins_once_and_ends_after_it_was_calm_for_a_while() -> None:
    rule = Hysteresis(on=1.0, off=0.7, hold=3)
    state = rule.begin(1)
    scores = [0.9, 1.2, 0.8, 1.1, 0.1, 0.75, 0.1, 0.1, 0.1, 0.1, 2.0]
    alarm = [bool(rule.update(state, np.array([score]), np.ones(1, np.bool_))[0]) for score in scores]
    assert alarm == [False, True, True, True, True, True, True, True, False, False, True]


def test_what_is_not_judged_yet_is_no_alarm() -> None:
    rule = Hysteresis()
    assert not rule.update(rule.begin(1), np.array([99.0]), np.zeros(1, np.bool_)).any()
