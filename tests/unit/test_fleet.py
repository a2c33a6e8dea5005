"""A fleet judges the same readings the same way, however they arrive; what it knows survives as bytes."""

from dataclasses import fields

import numpy as np
import pytest

from detection import fleet_bytes, standard
from detection.ensemble import Ensemble
from detection.fleet import Fleet, Verdicts
from detection.messages import Readings

SECOND = 1_000_000
START = 1_760_000_000 * SECOND
ROWS = 150


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    return standard.ensemble()


def history(devices: int = 4, rows: int = ROWS, seed: int = 0) -> Readings:
    """Two metrics a device, one reading a second, with a fault in device 0 from row 120 on."""
    rng = np.random.default_rng(seed)
    value = rng.normal(20, 1, (rows, devices, 2))
    value[120:, 0, 0] += 30
    row, device, metric = (axis.ravel() for axis in np.indices(value.shape))
    time = START + row * SECOND
    names = [f"pump-{number}" for number in range(devices)]
    return Readings(names, ["temperature", "pressure"], device, metric, time, value.ravel())


def some(readings: Readings, chosen: np.ndarray) -> Readings:
    arrays = {name: getattr(readings, name)[chosen] for name in ("device", "metric", "time", "value")}
    return Readings(readings.devices, readings.metrics, **arrays)


def same(one: Verdicts, other: Verdicts) -> None:
    for item in fields(Verdicts):
        np.testing.assert_allclose(getattr(one, item.name), getattr(other, item.name), rtol=1e-9, err_msg=item.name)


def in_batches(fleet: Fleet, readings: Readings, ends: list[int]) -> Verdicts:
    row = (readings.time - START) // SECOND
    found = [
        fleet.judge(some(readings, (row >= begin) & (row < end)))
        for begin, end in zip([0, *ends], [*ends, ROWS], strict=True)
    ]
    joined = Verdicts(
        **{item.name: np.concatenate([getattr(part, item.name) for part in found]) for item in fields(Verdicts)}
    )
    return joined.where(np.lexsort((joined.time, joined.device)))


def test_a_fault_is_found_where_it_is_and_nowhere_else(ensemble) -> None:
    readings = history()
    fleet = Fleet(ensemble)
    began = (verdicts := fleet.judge(readings)).where(verdicts.began)
    assert began.device.tolist() == [0]
    assert began.time.tolist() == [START + 120 * SECOND]
    assert fleet.metrics("pump-0")[int(began.metric[0])] == "temperature"
    assert began.by_detector[0].max() == began.score[0] > 1
    assert began.value[0] > 40


def test_an_alarm_of_a_metric_that_its_message_lacks_has_the_last_reading_of_it(ensemble) -> None:
    readings = history(devices=40, rows=600, seed=1)
    seconds = (readings.time - START) / SECOND
    climbs = readings.metric == 1
    readings.value[climbs] += 0.05 * np.maximum(seconds[climbs] - 200, 0)
    sent = some(readings, ~climbs | (np.random.default_rng(3).random(len(seconds)) < 0.5))
    verdicts = (fleet := Fleet(ensemble)).judge(sent)
    began = verdicts.where(verdicts.began)
    lacking = 0
    for device, time, metric, value in zip(began.device, began.time, began.metric, began.value, strict=True):
        name = fleet.metrics(sent.devices[device])[metric]
        of_it = (sent.device == device) & (sent.metric == sent.metrics.index(name)) & (sent.time <= time)
        last = np.flatnonzero(of_it)[-1]
        assert value == sent.value[last]
        lacking += sent.time[last] < time
    assert lacking > 0


@pytest.mark.parametrize("ends", [[1, 2, 75], [60], list(range(1, ROWS))], ids=["few", "two", "one row each"])
def test_how_readings_are_cut_into_batches_changes_nothing(ensemble, ends) -> None:
    readings = history()
    same(in_batches(Fleet(ensemble), readings, ends), Fleet(ensemble).judge(readings))


def test_the_order_within_a_batch_and_the_company_of_other_devices_change_nothing(ensemble) -> None:
    readings = history()
    whole = Fleet(ensemble).judge(readings)
    shuffled = some(readings, np.random.default_rng(1).permutation(len(readings.time)))
    same(Fleet(ensemble).judge(shuffled), whole)
    alone = Fleet(ensemble).judge(some(readings, readings.device == 2))
    same(alone, whole.where(whole.device == 2))


def test_repeated_readings_are_not_judged_again(ensemble) -> None:
    readings = history()
    fleet = Fleet(ensemble)
    first = fleet.judge(readings)
    before = fleet_bytes.dump(fleet)
    newest = some(readings, readings.time > START + (ROWS - 5) * SECOND)
    assert len(fleet.judge(newest).device) == 0
    assert fleet_bytes.dump(fleet) == before
    assert len(first.device) == 4 * ROWS


def test_a_late_reading_is_judged_and_nothing_is_learned_from_it(ensemble) -> None:
    readings = history()
    row = (readings.time - START) // SECOND
    held_back = (row == ROWS - 3) & (readings.device == 1)
    fleet = Fleet(ensemble)
    fleet.judge(some(readings, ~held_back))
    before = fleet_bytes.dump(fleet)
    late = some(readings, held_back)
    assert fleet.judge(late).began.tolist() == [False]
    broken = Readings(late.devices, late.metrics, late.device, late.metric, late.time, late.value + 100)
    assert fleet.judge(broken).began.tolist() == [True]
    assert fleet_bytes.dump(fleet) == before


def test_a_reading_too_late_to_be_told_from_a_repeated_one_is_left_out(ensemble) -> None:
    readings = history()
    fleet = Fleet(ensemble)
    fleet.judge(readings)
    assert len(fleet.judge(some(readings, readings.time < START + 100 * SECOND)).device) == 0


def test_a_device_that_gets_another_metric_keeps_what_is_known_of_the_others(ensemble) -> None:
    readings = history()
    fleet = Fleet(ensemble)
    fleet.judge(some(readings, (readings.metric == 0) & (readings.time < START + 120 * SECOND)))
    assert fleet.metrics("pump-0") == ("temperature",)
    later = fleet.judge(some(readings, readings.time >= START + 120 * SECOND))
    assert sorted(fleet.metrics("pump-0")) == ["pressure", "temperature"]
    assert len(fleet) == 4
    began = later.where(later.began)
    assert set(began.device.tolist()) == {0}


def test_devices_that_are_silent_for_long_are_forgotten(ensemble) -> None:
    readings = history()
    fleet = Fleet(ensemble)
    fleet.judge(some(readings, (readings.device != 3) | (readings.time < START + 10 * SECOND)))
    assert fleet.forget_before(START + 60 * SECOND) == 1
    assert len(fleet) == 3
    assert fleet.forget_before(START + 60 * SECOND) == 0
    assert len(fleet.judge(some(readings, readings.device == 3)).device) == ROWS


def test_what_is_known_survives_as_bytes(ensemble) -> None:
    readings = history()
    row = (readings.time - START) // SECOND
    whole = Fleet(ensemble).judge(readings)
    fleet = Fleet(ensemble)
    fleet.judge(some(readings, row < 80))
    again = fleet_bytes.load(ensemble, fleet_bytes.dump(fleet))
    same(again.judge(some(readings, row >= 80)), whole.where(whole.time >= START + 80 * SECOND))


def test_a_detector_that_is_new_begins_anew_and_the_others_go_on(ensemble) -> None:
    readings = history()
    old = Ensemble(ensemble.detectors[:1], training=standard.TRAINING)
    fleet = Fleet(old)
    fleet.judge(some(readings, readings.time < START + 100 * SECOND))
    told = []
    loaded = fleet_bytes.load(ensemble, fleet_bytes.dump(fleet), told.append)
    assert told == [sorted(ensemble.names[1:])]
    stored, upgraded = fleet.cohorts[2].state, loaded.cohorts[2].state
    for name, array in stored.items():
        np.testing.assert_array_equal(upgraded[name], array)
    assert upgraded.keys() > stored.keys()
    assert len(loaded.judge(some(readings, readings.time >= START + 100 * SECOND)).device) == 4 * 50


@pytest.mark.parametrize("stored", [b"", b"\0\0\0\2{}", b'\0\0\0\x0d{"format":99}', b"no fleet at all"])
def test_bytes_that_are_no_fleet_are_refused(ensemble, stored) -> None:
    with pytest.raises(fleet_bytes.UnknownFormatError, match=f"{len(stored)} bytes"):
        fleet_bytes.load(ensemble, stored)
