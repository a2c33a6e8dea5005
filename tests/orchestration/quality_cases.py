"""For each table one good row, and rows that break one expectation each, with the offenders to be found."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.orchestration.rows import NOON, anomaly, reading

DAY = NOON.date()
INF, NAN = float("inf"), float("nan")

Row = dict[str, Any]


def readings(count: int = 10) -> list[Row]:
    return [reading(60 * number, 20 + number, source_offset=number) for number in range(count)]


def enriched(number: int = 0, **changes: Any) -> Row:
    left_out = ("source_partition", "source_offset")
    row = {name: value for name, value in reading(60 * number).items() if name not in left_out}
    known = {"model": "m", "registered": True, "interval_seconds": 60.0, "in_maintenance": False, "anomalies": 0}
    return row | known | {"delay_seconds": 1.0} | changes


def dead_letter(number: int = 0, **changes: Any) -> Row:
    row = {
        "payload": b"{",
        "key": None,
        "dq_reason": "malformed",
        "source_topic": "iot.sensor.raw",
        "source_partition": 0,
        "source_offset": number,
        "replay_count": 0,
        "received_at": NOON + timedelta(seconds=number),
        "event_date": DAY,
    }
    return row | changes


def feature(number: int = 0, **changes: Any) -> Row:
    start = NOON + timedelta(minutes=number)
    row = {
        "window_kind": "tumbling_1m",
        "window_start": start,
        "window_end": start + timedelta(minutes=1),
        "device_id": "pump-1",
        "metric": "temperature",
        **dict.fromkeys(("mean", "min", "max"), 20.0),
        **dict.fromkeys(("stddev", "range", "delta", "rate_of_change"), 0.0),
        "count": 2,
        "event_date": DAY,
    }
    return row | changes


def found_abnormal(number: int = 0, **changes: Any) -> Row:
    return anomaly(reading(60 * number)) | changes


def trend(number: int = 0, **changes: Any) -> Row:
    row = {
        "period": "hour",
        "period_start": datetime(DAY.year, DAY.month, DAY.day, number, tzinfo=UTC),
        "device_id": "pump-1",
        "metric": "temperature",
        **dict.fromkeys(("first_at", "last_at"), NOON),
        "count": 60,
        **dict.fromkeys(("mean", "min", "p05", "p25", "p50", "p75", "p95", "max"), 20.0),
        **dict.fromkeys(("stddev", "anomaly_rate", "gap_seconds"), 0.0),
        "anomalies": 0,
        "gaps": 0,
        "event_date": DAY,
    }
    return row | changes


def baseline(number: int = 0, **changes: Any) -> Row:
    row = {
        "device_id": f"pump-{number}",
        "metric": "temperature",
        "since": NOON - timedelta(days=7),
        "until": NOON,
        "windows": 100,
        "readings": 6000,
        **dict.fromkeys(("centre", "mean", "min", "max", "low", "high"), 20.0),
        **dict.fromkeys(("spread", "stddev", "within", "between", "steepest", "flat"), 0.0),
        "deciles": [20.0] * 9,
        "hours": [0.0] * 24,
        "interval_seconds": 60.0,
        "computed_at": NOON,
    }
    return row | changes


def limit(number: int = 0, **changes: Any) -> Row:
    row = {
        "device_id": f"pump-{number}",
        "metric": "temperature",
        "lower": -20.0,
        "upper": 85.0,
        "mean": 20.0,
        "stddev": 1.5,
        "z_limit": 6.0,
        "unit": "°C",
        "source": "learned",
    }
    return row | changes


def candidate(number: int = 0, **changes: Any) -> Row:
    counted = {"expected_alarms": 0, "live_alarms": 0, "expected_readings": 10, "computed_at": NOON}
    return limit(number) | counted | changes


def threshold(number: int = 0, **changes: Any) -> Row:
    return limit(number) | {"version": 3, "published_at": NOON, "published_by": "test"} | changes


GOOD: dict[str, Callable[[], list[Row]]] = {
    "readings": readings,
    "enriched_readings": lambda: [enriched(number) for number in range(10)],
    "dead_letters": lambda: [dead_letter()],
    "features": lambda: [feature(number) for number in range(3)],
    "anomalies": lambda: [found_abnormal()],
    "trends": lambda: [trend(number) for number in range(3)],
    "baselines": lambda: [baseline(number) for number in range(3)],
    "threshold_candidates": lambda: [candidate(number) for number in range(3)],
    "thresholds": lambda: [threshold(number) for number in range(3)],
}

Case = tuple[str, str, list[Row], int]
_LATE = 20  # a row of a number that no good row has

OFFENDING: list[Case] = [
    ("readings", "nothing_missing", [reading(1, device_id=None), reading(2, reading_id=None, value=None)], 2),
    ("readings", "finite", [reading(1, NAN), reading(2, INF), reading(3, -INF)], 3),
    ("readings", "in_its_day", [reading(1, event_date=DAY, event_time=NOON - timedelta(days=1))], 1),
    ("readings", "unique", [reading(0), reading(0), reading(60)], 3),
    ("readings", "not_impossibly_low", [reading(1, -273.2), reading(2, -273.1)], 1),
    ("readings", "not_impossibly_high", [reading(1, 100.5, metric="humidity", unit="%")], 1),
    ("readings", "unit_of_rule", [reading(1, unit="K"), reading(2, unit=None), reading(3, metric="new", unit="K")], 1),
    ("readings", "unit_unchanged", [reading(1, unit="K")], 1),
    ("readings", "registered", [reading(1, device="stranger"), reading(2, device="stranger")], 1),
    ("readings", "no_gaps", [reading(3600), reading(3660), reading(7200)], 2),
    ("enriched_readings", "nothing_missing", [enriched(_LATE, registered=None)], 1),
    ("enriched_readings", "finite", [enriched(_LATE, value=NAN), enriched(21, delay_seconds=INF)], 2),
    ("enriched_readings", "in_its_day", [enriched(_LATE, event_time=NOON + timedelta(days=1))], 1),
    ("enriched_readings", "unique", [enriched(0)], 1),
    ("enriched_readings", "not_impossibly_low", [enriched(_LATE, value=-300.0)], 1),
    ("enriched_readings", "not_impossibly_high", [enriched(_LATE, value=1e9)], 1),
    ("enriched_readings", "unit_of_rule", [enriched(_LATE, unit="°F")], 1),
    ("enriched_readings", "unit_unchanged", [enriched(_LATE, unit="°F")], 1),
    ("enriched_readings", "anomalies_bounds", [enriched(_LATE, anomalies=-1)], 1),
    ("enriched_readings", "interval_seconds_bounds", [enriched(_LATE, interval_seconds=0.0)], 1),
    ("enriched_readings", "delay_seconds_bounds", [enriched(_LATE, delay_seconds=-301.0)], 1),
    ("enriched_readings", "of_registered_devices", [enriched(_LATE, registered=False)], 1),
    ("enriched_readings", "of_all_readings", [enriched(_LATE)], 1),
    ("dead_letters", "nothing_missing", [dead_letter(_LATE, dq_reason=None)], 1),
    ("dead_letters", "in_its_day", [dead_letter(_LATE, received_at=NOON - timedelta(days=1))], 1),
    ("dead_letters", "unique", [dead_letter(0)], 1),
    ("dead_letters", "known_reasons", [dead_letter(1, dq_reason="bad"), dead_letter(2, dq_reason="wrong_type:x")], 1),
    ("dead_letters", "replay_count_bounds", [dead_letter(_LATE, replay_count=4)], 1),
    ("dead_letters", "ratio", [dead_letter(_LATE)], 1),
    ("features", "nothing_missing", [feature(_LATE, mean=None)], 1),
    ("features", "finite", [feature(_LATE, stddev=INF)], 1),
    ("features", "known_window_kinds", [feature(_LATE, window_kind="tumbling_2m")], 1),
    ("features", "in_its_day", [feature(_LATE, window_start=NOON - timedelta(days=1))], 1),
    ("features", "unique", [feature(0)], 1),
    ("features", "window_start_below_window_end", [feature(_LATE, window_end=feature(_LATE)["window_start"])], 1),
    ("features", "min_not_above_max", [feature(_LATE, min=21.0)], 1),
    ("features", "count_bounds", [feature(_LATE, count=0)], 1),
    ("features", "stddev_bounds", [feature(_LATE, stddev=-0.1)], 1),
    ("features", "range_bounds", [feature(_LATE, range=-1.0)], 1),
    ("anomalies", "nothing_missing", [found_abnormal(_LATE, detector=None)], 1),
    ("anomalies", "finite", [found_abnormal(_LATE, score=NAN)], 1),
    ("anomalies", "in_its_day", [found_abnormal(_LATE, event_time=NOON + timedelta(days=1))], 1),
    ("anomalies", "unique", [found_abnormal(0)], 1),
    ("anomalies", "ids_are_hashes", [found_abnormal(_LATE, anomaly_id="7")], 1),
    ("anomalies", "known_severities", [found_abnormal(_LATE, severity="fatal")], 1),
    ("anomalies", "threshold_version_bounds", [found_abnormal(_LATE, threshold_version=0)], 1),
    ("anomalies", "registered", [found_abnormal(_LATE, device_id="stranger")], 1),
    ("trends", "nothing_missing", [trend(_LATE, period=None)], 1),
    ("trends", "finite", [trend(_LATE, change=NAN)], 1),
    ("trends", "known_periods", [trend(_LATE, period="year")], 1),
    ("trends", "in_its_day", [trend(_LATE, period_start=NOON - timedelta(days=1))], 1),
    ("trends", "unique", [trend(0)], 1),
    ("trends", "min_not_above_p05", [trend(_LATE, min=20.5)], 1),
    ("trends", "p05_not_above_p25", [trend(_LATE, p05=20.5)], 1),
    ("trends", "p25_not_above_p50", [trend(_LATE, p25=20.5)], 1),
    ("trends", "p50_not_above_p75", [trend(_LATE, p50=20.5)], 1),
    ("trends", "p75_not_above_p95", [trend(_LATE, p75=20.5)], 1),
    ("trends", "p95_not_above_max", [trend(_LATE, p95=20.5)], 1),
    ("trends", "count_bounds", [trend(_LATE, count=0)], 1),
    ("trends", "stddev_bounds", [trend(_LATE, stddev=-1.0)], 1),
    ("trends", "anomaly_rate_bounds", [trend(_LATE, anomaly_rate=1.1)], 1),
    ("trends", "gaps_bounds", [trend(_LATE, gaps=-1)], 1),
    ("trends", "gap_seconds_bounds", [trend(_LATE, gap_seconds=-1.0)], 1),
    ("baselines", "nothing_missing", [baseline(_LATE, deciles=None)], 1),
    ("baselines", "finite", [baseline(_LATE, spread=NAN)], 1),
    ("baselines", "unique", [baseline(0)], 1),
    ("baselines", "deciles_complete", [baseline(_LATE, deciles=[1.0])], 1),
    ("baselines", "hours_complete", [baseline(_LATE, hours=[])], 1),
    ("baselines", "since_below_until", [baseline(_LATE, since=NOON)], 1),
    ("baselines", "min_not_above_max", [baseline(_LATE, min=21.0)], 1),
    ("baselines", "low_not_above_high", [baseline(_LATE, low=21.0)], 1),
    *(
        ("baselines", f"{name}_bounds", [baseline(_LATE, **{name: -0.1})], 1)
        for name in ("spread", "stddev", "within", "between", "flat", "interval_seconds")
    ),
    ("baselines", "windows_bounds", [baseline(_LATE, windows=0)], 1),
    ("baselines", "readings_bounds", [baseline(_LATE, readings=0)], 1),
    *(
        case
        for table, row in (("threshold_candidates", candidate), ("thresholds", threshold))
        for case in (
            (table, "nothing_missing", [row(_LATE, metric=None)], 1),
            (table, "finite", [row(_LATE, upper=INF)], 1),
            (table, "unique", [row(0)], 1),
            (table, "lower_below_upper", [row(_LATE, lower=85.0)], 1),
            (table, "stddev_bounds", [row(_LATE, stddev=0.0)], 1),
            (table, "z_limit_bounds", [row(_LATE, z_limit=0.0)], 1),
            (table, "known_sources", [row(_LATE, source="guess")], 1),
            (table, "judges_something", [row(_LATE, lower=None, upper=None, z_limit=None)], 1),
        )
    ),
    ("threshold_candidates", "live_stddev_bounds", [candidate(_LATE, live_stddev=-1.0)], 1),
    ("threshold_candidates", "change_bounds", [candidate(_LATE, change=-1.0)], 1),
    ("threshold_candidates", "expected_alarms_bounds", [candidate(_LATE, expected_alarms=-1)], 1),
    ("threshold_candidates", "expected_alarms_not_above_expected_readings", [candidate(_LATE, expected_alarms=11)], 1),
    ("thresholds", "version_bounds", [threshold(_LATE, version=0)], 1),
    ("thresholds", "one_version", [threshold(_LATE, version=4)], 1),
]
ELSEWHERE = {"schema", "fresh", "usual_volume", "batches_add_up", "offsets_accounted_for"}
"""Expectations that need more than a row to be broken; they have tests of their own."""
