"""Each detector fires on the fault it is for, keeps silent on what is usual, and always answers with a number."""

import sys
from collections.abc import Callable

import numpy as np
import pytest

from detection import fleet_bytes, standard
from detection.detectors.detector import Detector
from detection.fleet import Fleet
from detection.judging import stretches
from detection.messages import Readings
from detection.offline import Judged, Rows, judge

SECOND, MINUTE = 1_000_000, 60_000_000
START = 1_760_000_000 * SECOND
Values = Callable[[np.random.Generator], np.ndarray]
EVERY = [detector.name for detector in standard.detectors() + standard.textbook()]


def judged(name: str, value: np.ndarray, *, every: int = SECOND, training: int = 300) -> Judged:
    """What one detector says of a device that sends the rows of `value`."""
    value = value if value.ndim == 2 else value[:, None]
    metrics = tuple(f"m{number}" for number in range(value.shape[1]))
    time = START + np.arange(len(value)) * every
    (found,) = judge(standard.ensemble(name), [Rows("device", metrics, time, value, training)])
    assert np.isfinite(found.score).all()
    assert (found.score >= 0).all()
    return found


def noise(rows: int, metrics: int = 1, seed: int = 0) -> np.ndarray:
    return 20 + np.random.default_rng(seed).normal(size=(rows, metrics))


def with_fault(value: np.ndarray, first: int, end: int, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The same with `change` made to the first metric from row `first` to before `end`."""
    faulty = value.copy()
    faulty[first:end, 0] = change(faulty[first:end, 0])
    return faulty


def daily(days: int) -> np.ndarray:
    """A reading every five minutes with a daily round."""
    place = np.arange(days * 288)
    return (50 + 20 * np.sin(place / 288 * 2 * np.pi) + np.random.default_rng(3).normal(size=len(place)))[:, None]


FAST = noise(1000)
PAIR = noise(1000, 4)
SLOW = noise(3000, 4)
DAYS = daily(12)
FAULTS = {
    "spike": (FAST, 700, 702, lambda x: x + 12, SECOND),
    "noise": (FAST, 700, 760, lambda x: 20 + 8 * (x - 20), SECOND),
    "stuck": (FAST, 700, 760, lambda x: np.full_like(x, x[0]), SECOND),
    "level": (PAIR, 700, 900, lambda x: x + 2, SECOND),
    "ewma": (SLOW, 2500, 2520, lambda x: x + 9, MINUTE),
    "range_novelty": (DAYS, 3000, 3010, lambda x: x + 60, 5 * MINUTE),
    "hour_of_day": (DAYS, 3000, 3080, lambda x: np.full_like(x, 50.0), 5 * MINUTE),
    "z_score": (FAST, 700, 710, lambda x: x + 20, SECOND),
    "mewma": (PAIR, 700, 900, lambda x: x + 12, SECOND),
    "rate_of_change": (FAST, 700, 701, lambda x: x + 25, SECOND),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_detector_finds_the_fault_it_is_for_and_nothing_before(name) -> None:
    value, first, end, change, every = FAULTS[name]
    found = judged(name, with_fault(value, first, end, change), every=every)
    assert found.alarm[first:end].any()
    assert not found.alarm[:first].any()
    assert found.detector[first + int(found.alarm[first:end].argmax())] == name
    assert not judged(name, value, every=every).alarm.any()


def alarms(judgement: Judged) -> int:
    return len(stretches(judgement.alarm))


def on_a_cycle(rows: int, seconds: float = 700, swing: float = 8, seed: int = 0) -> np.ndarray:
    """A reading a second, noise of 1, on a cycle that is up to seven hundredths of that steep."""
    place = np.arange(rows)
    return 20 + swing * np.sin(place / seconds * 2 * np.pi) + np.random.default_rng(seed).normal(size=rows)


def climbing(value: np.ndarray, first: int, seconds: int, by: float) -> np.ndarray:
    """The same with a ramp of height `by`, which ends with a step back."""
    drifted = value.copy()
    drifted[first : first + seconds] += np.arange(1, seconds + 1) / seconds * by
    return drifted


@pytest.mark.parametrize("by", [12, -12])
def test_a_drift_less_steep_than_the_cycle_is_found_while_it_lasts(by) -> None:
    found = judged("drift", climbing(on_a_cycle(2000), 1200, 300, by), training=60)
    assert found.alarm[1200:1400].any(), "in its first 200 of 300 seconds"
    assert not found.alarm[:1200].any()
    assert not found.alarm[1540:].any(), "its end is the end of the alarm"


def test_a_drift_is_found_within_minutes_of_the_first_reading() -> None:
    level = 20 + np.random.default_rng(0).normal(size=400)
    assert judged("drift", climbing(level, 180, 200, 15), training=60).alarm[180:380].any()


def test_a_drift_on_one_of_several_metrics_is_found() -> None:
    value = np.stack([climbing(on_a_cycle(1500), 1000, 300, 15), on_a_cycle(1500, 400, seed=1)], axis=1)
    found = judged("drift", value, training=60)
    assert found.alarm[1000:1300].any()
    assert {found.metric[row] for row in np.flatnonzero(found.alarm)} == {"m0"}


@pytest.mark.parametrize(("seconds", "swing"), [(310, 20), (700, 8), (3500, 20), (900, 800)])
def test_a_cycle_is_no_drift_however_steep_it_is(seconds, swing) -> None:
    assert alarms(judged("drift", on_a_cycle(5000, seconds, swing), training=60)) == 0


@pytest.mark.parametrize(("seconds", "swing"), [(420, 8), (700, 16)], ids=["faster", "wider"])
def test_a_cycle_that_becomes_another_one_rings_once_at_most(seconds, swing) -> None:
    value = np.concatenate([on_a_cycle(2100), on_a_cycle(3500, seconds, swing, seed=1)])
    assert alarms(judged("drift", value, training=60)) <= 1


def test_a_step_is_no_drift_and_the_cycle_is_known_again_after_it() -> None:
    value = on_a_cycle(3000)
    value[1000:] += 9
    assert alarms(judged("drift", value, training=60)) == 0
    found = judged("drift", climbing(value, 2000, 300, 15), training=60)
    assert found.alarm[2000:2300].any()
    assert not found.alarm[:2000].any()


def test_a_cycle_keeps_its_place_over_a_gap() -> None:
    value = on_a_cycle(2500)
    value[1300:1450] = np.nan
    assert alarms(judged("drift", value, training=60)) == 0
    assert judged("drift", climbing(value, 1600, 300, 15), training=60).alarm[1600:1900].any()


def test_what_wanders_by_itself_is_not_taken_for_drifting_again_and_again() -> None:
    steps = np.random.default_rng(5).normal(size=(20, 3600))
    runs = [
        Rows(f"d{number}", ("m",), START + np.arange(3600) * SECOND, np.cumsum(row)[:, None], 60)
        for number, row in enumerate(steps)
    ]
    found = judge(standard.ensemble("drift"), runs)
    assert sum(alarms(each) for each in found) <= len(runs), "one an hour of each at most"


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("every", [SECOND, 5 * MINUTE], ids=["each second", "every five minutes"])
def test_a_constant_sensor_gives_numbers_and_no_alarm_while_it_is_constant(name, every) -> None:
    rows = 800
    step = np.where(np.arange(rows) < 400, 1.0, 2.0)
    given = {"constant": np.full(rows, 7.0), "zero": np.zeros(rows), "another": step, "huge": np.full(rows, 1e300)}
    time = START + np.arange(rows) * every
    runs = [Rows(key, ("a", "b"), time, np.stack([value, value], axis=1), 300) for key, value in given.items()]
    runs += [Rows(f"{key} alone", ("a",), time, value[:, None], 300) for key, value in given.items()]
    for run, found in zip(runs, judge(standard.ensemble(name), runs), strict=True):
        assert np.isfinite(found.score).all(), run.name
        assert not found.alarm[:400].any(), run.name


def test_missing_readings_and_a_pause_at_the_same_level_are_no_alarm() -> None:
    value = noise(1400, 3, seed=5)
    value[600:900] = np.nan
    value[1000:1100, 1] = np.nan
    value[:, 2] = np.nan
    for name in EVERY:
        assert not judged(name, value, training=60 if name == "level" else 300).alarm.any(), name


@pytest.mark.parametrize("every", [SECOND, 5 * MINUTE], ids=["each second", "every five minutes"])
def test_a_device_never_seen_before_does_not_flood(every) -> None:
    rng = np.random.default_rng(11)
    runs = [
        Rows(f"d{number}", ("m",), START + np.arange(200) * every, 5 + rng.normal(size=(200, 1)), 60)
        for number in range(200)
    ]
    alarms = sum(int(found.alarm.any()) for found in judge(standard.ensemble(), runs))
    # Half a day of five-minute readings is a short past: now and then one is beyond all of it by chance.
    assert alarms <= (0 if every == SECOND else 10)


def test_a_device_never_seen_before_is_useful_after_sixty_readings() -> None:
    value = with_fault(noise(70), 60, 62, lambda x: x + 30)
    assert judged("spike", value, training=60).alarm[60]


def test_a_level_that_changed_for_good_is_one_alarm_and_then_the_usual() -> None:
    ensemble = standard.ensemble()
    value = with_fault(noise(3000, 4, seed=2), 1000, 3000, lambda x: x + 6)
    time = START + np.arange(3000) * SECOND
    (found,) = judge(ensemble, [Rows("device", ("a", "b", "c", "d"), time, value, 400)])
    assert found.alarm[1000:1020].any()
    assert found.alarm[1020:1600].all()
    # Where training rows were declared the detector is sharp: on pure noise it rings for some messages an hour.
    assert found.alarm[1700:].mean() < 0.01


def both(present: list[int], first: int, end: int) -> Readings:
    """One reading a second of each of the devices `present`, from second `first` to before `end`."""
    second, device = (axis.ravel() for axis in np.meshgrid(np.arange(first, end), present, indexing="ij"))
    value = 20 + np.random.default_rng(first).normal(size=len(second))
    nothing = np.zeros(len(second), np.int64)
    return Readings(["a", "b", "c"], ["m"], device, nothing, START + second * SECOND, value)


def silences(fleet: Fleet, present: list[int], first: int, end: int) -> list[str]:
    found = []
    for second in range(first, end):
        readings = both(present, second, second + 1)
        fleet.judge(readings)
        found += [silence.device for silence in fleet.silent(readings)]
    return found


def test_a_silent_device_is_told_once_and_again_after_it_came_back() -> None:
    fleet = Fleet(standard.ensemble())
    assert silences(fleet, [0, 1, 2], 0, 100) == []
    assert silences(fleet, [0, 1], 100, 105) == []
    assert silences(fleet, [0, 1], 105, 140) == ["c"]
    fleet = fleet_bytes.load(fleet.ensemble, fleet_bytes.dump(fleet))
    assert silences(fleet, [0, 1, 2], 140, 300) == []
    assert silences(fleet, [0, 1], 300, 340) == ["c"]


def test_a_pause_of_all_devices_and_one_wrong_clock_silence_nobody() -> None:
    fleet = Fleet(standard.ensemble())
    silences(fleet, [0, 1, 2], 0, 100)
    assert silences(fleet, [0, 1, 2], 3000, 3005) == []
    ahead = both([0, 1, 2], 3005, 3006)
    ahead.time[0] += 280 * SECOND
    fleet.judge(ahead)
    assert fleet.silent(ahead) == []


@pytest.mark.parametrize("detector", standard.detectors() + standard.textbook(), ids=lambda detector: detector.name)
def test_every_detector_says_when_it_fires_and_when_it_fails(detector: Detector) -> None:
    told = sys.modules[type(detector).__module__].__doc__ or ""
    assert "Fires on" in told
    assert "fails" in told
