"""The memory of whoever scores sequences as they grow: the same sequences as are cut from the whole history."""

import numpy as np
import pytest

from detection.alarms import Hysteresis
from detection.models.recent import Recent
from detection.models.sequences import EVERY_MICROS, FEATURES, LONGEST_PAUSE

START = 1_793_707_200_000_000
LENGTH = 5


@pytest.fixture
def recent() -> Recent:
    return Recent(LENGTH, Hysteresis(on=1.0, off=0.7, hold=2))


def figures(series: int, windows: int) -> np.ndarray:
    return np.random.default_rng(series).normal(10, 1, (windows, len(FEATURES)))


def give(recent: Recent, series: int, first: int, last: int, *, at: int = START) -> None:
    """Windows number `first` to `last` - 1 of a series."""
    rows = np.repeat(recent.rows([("d", str(series))]), last - first)
    recent.add(rows, at + np.arange(first, last) * EVERY_MICROS, figures(series, 100)[first:last])


def test_a_series_is_due_once_it_is_long_enough_and_again_with_each_window(recent):
    give(recent, 0, 0, 4)
    assert recent.due().tolist() == []
    give(recent, 0, 4, 5)
    assert recent.due().tolist() == [0]
    recent.score(recent.due(), np.zeros(1))
    assert recent.due().tolist() == []
    give(recent, 0, 5, 6)
    assert recent.due().tolist() == [0]


def test_its_sequences_are_the_last_windows_in_order_of_time(recent):
    give(recent, 0, 0, 7)
    give(recent, 1, 0, 23)
    rows = recent.rows([("d", "1"), ("d", "0")])
    assert recent.sequences(rows)[0] == pytest.approx(figures(1, 100)[18:23])
    assert recent.sequences(rows)[1] == pytest.approx(figures(0, 100)[2:7])


def test_windows_that_are_known_come_late_or_come_twice_change_nothing(recent):
    give(recent, 0, 0, 7)
    give(recent, 0, 2, 7)
    rows = np.zeros(2, np.int64)
    recent.add(rows, np.full(2, START + 7 * EVERY_MICROS), figures(0, 100)[[7, 7]])
    assert recent.sequences(rows[:1])[0] == pytest.approx(figures(0, 100)[3:8])


def test_a_long_pause_and_a_figure_that_is_not_finite_begin_anew(recent):
    give(recent, 0, 0, 7)
    give(recent, 0, 7, 11, at=START + LONGEST_PAUSE)
    assert recent.due().tolist() == []
    give(recent, 0, 11, 12, at=START + LONGEST_PAUSE)
    assert recent.due().tolist() == [0]
    recent.add(np.zeros(1, np.int64), np.array([START + 200 * EVERY_MICROS]), np.full((1, len(FEATURES)), np.inf))
    assert recent.due().tolist() == []


def test_those_that_wait_longest_are_first(recent):
    for series in range(3):
        give(recent, series, 0, 5)
    recent.score(np.array([0, 1]), np.zeros(2))
    for series in range(3):
        give(recent, series, 5, 6)
    recent.score(np.array([1]), np.zeros(1))
    for series in range(3):
        give(recent, series, 6, 7)
    assert recent.due().tolist() == [2, 0, 1]


def test_an_alarm_begins_once_and_again_after_it_ended(recent):
    give(recent, 0, 0, 5)
    began = [bool(recent.score(np.zeros(1, np.int64), np.array([score]))[0]) for score in (0.9, 1.2, 3, 0.8, 1.1)]
    assert began == [False, True, False, False, False]
    began = [bool(recent.score(np.zeros(1, np.int64), np.array([score]))[0]) for score in (0.1, 0.1, 1.1)]
    assert began == [False, False, True]


def test_series_that_are_gone_are_forgotten_and_the_others_stay_as_they_are(recent):
    give(recent, 0, 0, 7)
    give(recent, 1, 0, 7)
    give(recent, 1, 7, 12, at=START + LONGEST_PAUSE)
    recent.forget()
    assert recent.names == [("d", "1")]
    assert recent.sequences(recent.rows([("d", "1")]))[0] == pytest.approx(figures(1, 100)[7:12])
    give(recent, 0, 50, 51)
    assert len(recent) == 2
