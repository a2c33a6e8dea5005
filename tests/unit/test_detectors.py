"""Each detector fires on the fault it is for, keeps silent on what is usual, and always answers with a number."""

import sys
from collections.abc import Callable

import numpy as np
import pytest

from detection import fleet_bytes, standard
from detection.detectors.detector import Detector
from detection.fleet import Fleet
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


def test_a_drift_steeper_than_the_usual_cycle_is_found_while_it_lasts() -> None:
    rows = np.arange(3000)
    usual = 20 + 5 * np.sin(rows / 600 * 2 * np.pi) + np.random.default_rng(0).normal(size=3000) * 0.3
    drifting = usual + np.clip(rows - 2400, 0, 300) * 0.1
    assert judged("drift", drifting, training=60).alarm[2400:2700].any()
    assert not judged("drift", usual, training=60).alarm.any()


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
