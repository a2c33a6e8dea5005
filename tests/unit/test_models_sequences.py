"""Sequences: the windows of ten seconds that the LSTM autoencoder looks at."""

import numpy as np
import pytest

from detection.models import sequences

SECOND = 1_000_000
START = 1_793_707_200 * SECOND


def readings(series: int, seconds: int, *, first: int = 0, level: float = 20.0, seed: int = 0):
    """One reading a second."""
    at = START + (first + np.arange(seconds)) * SECOND
    value = level + np.random.default_rng([seed, series]).normal(0, 0.5, seconds)
    return np.full(seconds, series), at, value


def of(*parts):
    return sequences.panes(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def test_the_figures_of_a_window_are_those_of_its_readings_in_any_order():
    series, time, value = readings(0, 25)
    order = np.random.default_rng(1).permutation(25)
    found = sequences.panes(series[order], time[order], value[order])
    assert found.start.tolist() == [START, START + 10 * SECOND, START + 20 * SECOND]
    for place, part in enumerate((value[:10], value[10:20], value[20:])):
        wanted = [part.mean(), part.std(), part.min(), part.max(), len(part), np.ptp(part)]
        assert found.figures[place] == pytest.approx(wanted)
    assert (found.of == np.repeat([0, 1, 2], [10, 10, 5])[order]).all()


def test_the_noise_of_large_values_is_not_lost():
    series, time, value = readings(0, 10, level=1e6)
    assert of((series, time, value)).figures[0, 1] == pytest.approx(value.std(), rel=1e-6)


def test_series_of_different_level_noise_and_interval_look_alike_once_normalised():
    one, other = readings(0, 1000), readings(1, 1000, level=-500.0)
    slow = (other[0][::2], other[1][::2], -500 + 40 * (other[2][::2] + 500))
    given = of(one, slow)
    scale = sequences.scale(given, np.ones(len(given), bool), 2)
    assert scale.centre == pytest.approx([20, -500], abs=2)
    assert scale.spread == pytest.approx([0.5, 20], rel=0.1)
    found = sequences.normalised(given, scale)
    assert found.dtype == np.float32
    means = [found[given.series == series].mean(axis=0) for series in (0, 1)]
    assert means[0][:2] == pytest.approx(means[1][:2], abs=0.15)
    assert (means[0][4], means[1][4]) == pytest.approx((1, 1))


def test_a_constant_series_and_a_wild_value_stay_within_bounds():
    series, time, _ = readings(0, 100)
    value = np.full(100, 7.0)
    value[95] = 1e12
    given = sequences.panes(series, time, value)
    scale = sequences.scale(given, given.start < given.start[9], 1)
    found = sequences.normalised(given, scale)
    assert np.isfinite(found).all()
    assert (found[:9, :4] == 0).all()
    assert np.abs(found).max() == 10


def test_a_series_of_which_nothing_normal_is_known_has_no_figures():
    given = of(readings(0, 100), readings(1, 100))
    found = sequences.normalised(given, sequences.scale(given, given.series == 0, 2))
    assert np.isfinite(found[given.series == 0]).all()
    assert np.isnan(found[given.series == 1]).all()


def test_sequences_end_where_fifty_windows_of_one_series_follow_one_another():
    given = of(readings(0, 520), readings(1, 490))
    ends = sequences.ends(given)
    assert ends.tolist() == [49, 50, 51]
    assert sequences.cut(given.figures, ends).shape == (3, 50, 6)
    assert (sequences.cut(given.figures, ends)[1] == given.figures[1:51]).all()
    assert sequences.ends(given, step=2).tolist() == [49, 51]
    assert sequences.ends(sequences.panes(*(np.zeros(0, int),) * 2, np.zeros(0))).tolist() == []


def test_a_long_pause_begins_a_new_sequence_and_a_short_one_does_not():
    short, long = 300, 2000
    given = of(readings(0, 300), readings(0, 300, first=300 + short))
    assert len(sequences.ends(given)) == 11
    given = of(readings(0, 300), readings(0, 300, first=300 + long))
    assert len(sequences.ends(given)) == 0
