"""Sequences: the windows that the LSTM autoencoder looks at."""

import numpy as np
import pyarrow as pa
import pytest

from detection.models import sequences
from streaming import features, panes

SECOND = 1_000_000
START = 1_793_707_200 * SECOND
MEAN, COUNT = sequences.FEATURES.index("mean"), sequences.FEATURES.index("count")


def readings(series: int, seconds: int, *, first: int = 0, level: float = 20.0, seed: int = 0):
    """One reading a second."""
    at = START + (first + np.arange(seconds)) * SECOND
    value = level + np.random.default_rng([seed, series]).normal(0, 0.5, seconds)
    return np.full(seconds, series), at, value


def of(*parts):
    return sequences.windows(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def spans(value):
    """All sequences of one series, normalised."""
    given = of((np.zeros(len(value), int), START + np.arange(len(value)) * SECOND, value))
    return sequences.cut(given.figures, sequences.ends(given))


def test_windows_are_those_that_the_stream_writes_to_the_lake():
    parts = [readings(0, 200), readings(1, 55, first=300, level=1e6), readings(1, 30, first=700, level=1e6)]
    series, time, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.random.default_rng(1).permutation(len(time))
    found = sequences.windows(series[order], time[order], value[order])
    kept = panes.Panes()
    names = pa.array([f"d{number}" for number in series.tolist()])
    stored = {"device_id": names, "metric": names, "event_time": time, "value": value}
    kept.add(panes.of(pa.table(stored)))
    written = features.close(kept, 0, START + 2000 * SECOND).to_pylist()
    wanted = sorted(
        (int(row["device_id"][1:]), int(row["window_end"].timestamp()) * SECOND, row)
        for row in written
        if row["window_kind"] == sequences.KIND and row["window_end"].timestamp() * SECOND <= START + 730 * SECOND
    )
    assert found.series.tolist() == [series for series, _, _ in wanted]
    assert found.end.tolist() == [end for _, end, _ in wanted]
    for place, name in enumerate(sequences.FEATURES):
        assert found.figures[:, place] == pytest.approx([row[name] for *_, row in wanted], rel=1e-6), name


def test_a_window_knows_its_readings():
    series, time, value = readings(0, 100)
    found = of((series, time, value))
    for window in range(len(found)):
        inside = (time >= found.end[window] - 60 * SECOND) & (time < found.end[window])
        assert found.oldest[window] == found.pane[inside].min()
        assert found.newest[window] == found.pane[inside].max()
        assert found.figures[window, COUNT] == inside.sum()


def test_series_of_different_level_noise_and_interval_look_alike_once_normalised():
    one, other = readings(0, 1000), readings(1, 1000, level=-500.0)
    slow = (other[0][::2], other[1][::2], -500 + 40 * (other[2][::2] + 500))
    given = of(one, slow)
    ends = sequences.ends(given)
    found = sequences.cut(given.figures, ends)
    assert found.dtype == np.float32
    means = [found[given.series[ends] == series].mean(axis=(0, 1)) for series in (0, 1)]
    assert means[0][MEAN] == pytest.approx(means[1][MEAN], abs=0.15)
    assert (means[0][COUNT], means[1][COUNT]) == pytest.approx((1, 1), abs=0.05)


def test_a_level_that_wandered_off_looks_as_it_did_before():
    value = readings(0, 1200)[2]
    assert spans(value + 1000) == pytest.approx(spans(value), abs=1e-3)


def test_what_is_abnormal_in_a_part_of_a_sequence_stands_out_of_it():
    value = readings(0, 600)[2]
    value[400:] += 20
    (found,) = spans(value)[:1]
    assert np.abs(found[:34, MEAN]).max() < 2
    assert (found[45:, MEAN] == 10).all(), "twenty units are forty spreads, clipped"


def test_a_constant_series_and_a_wild_value_stay_within_bounds():
    value = np.full(700, 7.0)
    value[650] = 1e12
    found = spans(value)
    assert np.isfinite(found).all()
    assert (found[0][:, :4] == 0).all()
    assert np.abs(found).max() == 10


def test_sequences_end_where_fifty_windows_of_one_series_follow_one_another():
    given = of(readings(0, 520), readings(1, 430))
    ends = sequences.ends(given)
    assert ends.tolist() == [49, 50, 51]
    assert sequences.cut(given.figures, ends).shape == (3, 50, 6)
    assert (sequences.cut(given.figures, ends)[1] == sequences.normalised(given.figures[None, 1:51])[0]).all()
    assert sequences.ends(given, step=2).tolist() == [49, 51]
    assert sequences.ends(sequences.windows(*(np.zeros(0, int),) * 2, np.zeros(0))).tolist() == []


def test_a_long_pause_begins_a_new_sequence_and_a_short_one_does_not():
    short, long = 300, 2000
    given = of(readings(0, 300), readings(0, 300, first=300 + short))
    assert len(sequences.ends(given)) == (30 + 5) + 30 - 49
    given = of(readings(0, 300), readings(0, 300, first=300 + long))
    assert len(sequences.ends(given)) == 0
