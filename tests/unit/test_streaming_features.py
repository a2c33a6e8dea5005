"""Windows from panes: the features that machines are judged by, against the same figures from the raw readings."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.avro import field_names
from streaming import features
from streaming.features import WINDOWS
from streaming.panes import LENGTH_MICROS, Panes

SECOND = 1_000_000
START = 1_793_707_200 * SECOND  # 2026-11-03 12:00:00 UTC, a start of every kind of window
BEGINNING = -(2**62)
HOUR = 3600 * SECOND


def micros(seconds):
    return START + round(seconds * SECOND)


def part(readings):
    """One batch's panes of readings (device, metric, seconds after START, value)."""
    groups = {}
    for device, metric, seconds, value in readings:
        time = micros(seconds)
        groups.setdefault((device, metric, time - time % LENGTH_MICROS), []).append((time, value))
    rows = []
    for (device, metric, start), held in groups.items():
        values = np.array([value for _, value in held])
        (first_time, first), (last_time, last) = min(held), max(held)
        rows.append(
            {
                "device_id": device,
                "metric": metric,
                "pane_start": start,
                "count": len(held),
                "mean": values.mean(),
                "m2": ((values - values.mean()) ** 2).sum(),
                "min": values.min(),
                "max": values.max(),
                "first_time": first_time,
                "first": first,
                "last_time": last_time,
                "last": last,
            }
        )
    return pa.Table.from_pylist(rows) if rows else pa.table({"pane_start": pa.array([], pa.int64())})


def panes_of(*batches):
    panes = Panes()
    for batch in batches:
        panes.add(part(batch))
    return panes


def closed(panes, after, until):
    """What closes, by (kind, end in seconds after START, device, metric)."""
    table = features.close(panes, after, until)
    rows = [] if table is None else table.to_pylist()
    found = {
        (
            row["window_kind"],
            round(row["window_end"].timestamp() - START / SECOND),
            row["device_id"],
            row["metric"],
        ): row
        for row in rows
    }
    assert len(found) == len(rows), "a window came twice"
    return found


def from_raw(readings, after, until):
    """The same straight from the readings, window by window."""
    expected = {}
    for window in WINDOWS:
        for end in range(START, micros(1800), window.every):
            held = {}
            for device, metric, seconds, value in readings:
                if after < end <= until and end - window.length <= micros(seconds) < end:
                    held.setdefault((device, metric), []).append((micros(seconds), value))
            for (device, metric), pairs in held.items():
                pairs.sort()
                values = np.array([value for _, value in pairs])
                delta = pairs[-1][1] - pairs[0][1]
                elapsed = (pairs[-1][0] - pairs[0][0]) / SECOND
                expected[window.kind, (end - START) // SECOND, device, metric] = {
                    "count": len(values),
                    "mean": values.mean(),
                    "stddev": values.std(),
                    "min": values.min(),
                    "max": values.max(),
                    "range": np.ptp(values),
                    "delta": delta,
                    "rate_of_change": delta / elapsed if elapsed else 0.0,
                }
    return expected


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        for name, figure in row.items():
            assert found[key][name] == pytest.approx(figure, rel=1e-9, abs=1e-6), (key, name)


@pytest.mark.parametrize(
    ("kind", "pane", "ends"),
    [
        ("sliding_60s", 0, [10, 20, 30, 40, 50, 60]),
        ("sliding_60s", 50, [60, 70, 80, 90, 100, 110]),
        ("tumbling_1m", 0, [60]),
        ("tumbling_1m", 50, [60]),
        ("tumbling_5m", 290, [300]),
        ("tumbling_5m", 300, [600]),
    ],
)
def test_the_windows_that_hold_a_pane(kind, pane, ends):
    (window,) = [window for window in WINDOWS if window.kind == kind]
    assert [(end - START) // SECOND for end in window.ends_of(micros(pane))] == ends


def test_panes_before_1970_fall_into_windows_like_others():
    for window in WINDOWS:
        for end in window.ends_of(-LENGTH_MICROS):
            assert end % window.every == 0
            assert end - window.length <= -LENGTH_MICROS < end


READINGS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["t", "p"]),
        st.integers(0, 899_999).map(lambda millis: millis / 1000),
        st.floats(-1e6, 1e6, allow_subnormal=False),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda reading: reading[:3],
)


@settings(max_examples=60, deadline=None)
@given(st.data(), READINGS)
def test_windows_put_together_from_parts_in_any_order_are_those_of_the_readings(data, readings):
    shuffled = data.draw(st.permutations(readings))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(readings)), max_size=5)))
    batches = [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(readings)], strict=True)]
    assert_same(closed(panes_of(*batches), BEGINNING, micros(1700)), from_raw(readings, BEGINNING, micros(1700)))


@settings(max_examples=40, deadline=None)
@given(READINGS, st.lists(st.integers(0, 1700), max_size=6))
def test_however_the_watermark_moves_each_window_closes_once_and_whole(readings, stops):
    panes, found, before = panes_of(readings), {}, BEGINNING
    for stop in [*sorted(stops), 1700]:
        fresh = closed(panes, before, micros(stop))
        assert not fresh.keys() & found.keys()
        found |= fresh
        before = micros(stop)
    assert_same(found, from_raw(readings, BEGINNING, micros(1700)))
    assert panes.starts() == []


def test_nothing_closes_before_the_watermark_reaches_the_end_of_a_window():
    panes = panes_of([("a", "t", 1, 5.0), ("a", "t", 9, 6.0)])
    assert closed(panes, BEGINNING, micros(9.999999)) == {}
    assert closed(panes, micros(9.999999), micros(10)).keys() == {("sliding_60s", 10, "a", "t")}
    assert closed(panes, micros(10), micros(59)).keys() == {("sliding_60s", end, "a", "t") for end in (20, 30, 40, 50)}
    assert closed(panes, micros(59), micros(60)).keys() == {
        ("sliding_60s", 60, "a", "t"),
        ("tumbling_1m", 60, "a", "t"),
    }
    assert closed(panes, micros(60), micros(299)) == {}
    assert closed(panes, micros(299), micros(300)).keys() == {("tumbling_5m", 300, "a", "t")}


def test_a_late_reading_counts_in_open_windows_only():
    panes = panes_of([("a", "t", 5, 1.0)])
    closed(panes, BEGINNING, micros(60))
    panes.add(part([("a", "t", 6, 3.0)]))
    late = closed(panes, micros(60), micros(300))
    assert late.keys() == {("tumbling_5m", 300, "a", "t")}
    assert late["tumbling_5m", 300, "a", "t"]["count"] == 2


def test_an_idle_gap_of_hours_costs_no_empty_windows():
    panes = panes_of([("a", "t", 5, 1.0)])
    panes.add(part([("a", "t", 9 * 3600 + 5, 2.0)]))
    found = closed(panes, BEGINNING, micros(10 * 3600))
    assert len(found) == 2 * (6 + 1 + 1)
    # From the beginning of time to now, nothing there: an answer at once, not a walk over every window of 56 years.
    assert features.close(Panes(), BEGINNING, START) is None


def test_a_large_and_steady_value_keeps_its_small_variance():
    values = [1e9 + step * 1e-3 for step in range(60)]
    panes = panes_of(*[[("a", "t", second, value)] for second, value in enumerate(values)])
    row = closed(panes, BEGINNING, micros(60))["tumbling_1m", 60, "a", "t"]
    assert row["stddev"] == pytest.approx(np.std(values), rel=1e-3)
    assert row["stddev"] > 0


def test_one_reading_has_no_spread_and_no_rate():
    row = closed(panes_of([("a", "t", 5, 7.5)]), BEGINNING, micros(60))["tumbling_1m", 60, "a", "t"]
    assert (row["count"], row["mean"], row["min"], row["max"]) == (1, 7.5, 7.5, 7.5)
    assert (row["stddev"], row["range"], row["delta"], row["rate_of_change"]) == (0, 0, 0, 0)


def test_values_at_the_edge_of_what_a_double_holds_stop_nothing():
    batch = [("a", "t", 1, 1.7e308), ("a", "t", 15, -1.7e308), ("b", "t", 2, 4.0)]
    found = closed(panes_of(batch), BEGINNING, micros(60))
    assert found["tumbling_1m", 60, "a", "t"]["max"] == 1.7e308
    assert found["tumbling_1m", 60, "b", "t"]["mean"] == 4.0


def test_the_rows_have_the_shape_of_the_contract():
    table = features.close(panes_of([("a", "t", 5, 7.5)]), BEGINNING, micros(60))
    assert table is not None
    assert table.column_names == field_names("feature")
    row = next(row for row in table.to_pylist() if row["window_kind"] == "tumbling_1m")
    assert row["window_start"] == datetime(2026, 11, 3, 12, tzinfo=UTC)
    assert row["window_end"] == datetime(2026, 11, 3, 12, 1, tzinfo=UTC)
    assert row["event_date"].isoformat() == "2026-11-03"


def test_a_window_that_began_yesterday_belongs_to_yesterday():
    midnight = 12 * 3600
    table = features.close(panes_of([("a", "t", midnight - 20, 1.0)]), BEGINNING, micros(midnight + 60))
    assert table is not None
    assert {row["event_date"].isoformat() for row in table.to_pylist() if row["window_kind"] == "sliding_60s"} == {
        "2026-11-03"
    }
    assert {row["event_date"].day for row in table.to_pylist()} == {3}


def test_panes_that_no_window_needs_are_forgotten():
    panes = panes_of([("a", "t", second, 1.0) for second in range(0, 900, 10)])
    features.close(panes, BEGINNING, micros(900))
    assert min(panes.starts()) == micros(600)
    panes.add(part([]))
    assert len(panes.parts) == 1
