"""The journal that the detectors' state is kept as, and the processor that Spark calls: driven without Spark."""

import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.streaming.tws_tester import TwsTester

from contracts import identity
from contracts.avro import field_names
from contracts.detectors import learned
from contracts.shapes import json_schema
from detection import fleet_bytes, standard
from detection.fleet import Fleet
from detection.messages import Readings
from sensorlake.errors import CheckpointError
from streaming import anomalies
from streaming.detect import journal, processor, reshard, step
from tests.detect_rows import HOUR, SECOND, START, WEEK, frame, rows


def ids_of(made):
    return {json.loads(value)["anomaly_id"] for value in made.get("value", [])}


def offline(part):
    """Ids of the alarms that the same readings raise in one go, without a journal."""
    fleet = Fleet(standard.ensemble())
    taken = step.of([frame(part)])
    verdicts = fleet.judge(taken.readings)
    began = verdicts.where(verdicts.began.astype(bool))
    return {
        identity.anomaly_id(
            taken.readings.devices[device],
            fleet.metrics(taken.readings.devices[device])[metric],
            at,
            learned(fleet.ensemble.names[detector]),
        )
        for device, metric, at, detector in zip(
            began.device.tolist(), began.metric.tolist(), began.time.tolist(), began.detector.tolist(), strict=True
        )
    }


@pytest.fixture
def tester(tmp_path):
    processor._at_hand.clear()
    return TwsTester(processor.Detect(tmp_path, WEEK))


def forget_the_worker():
    processor._at_hand.clear()


def test_an_alarm_leaves_as_the_json_of_the_contract(tester):
    made = tester.testInPandas(0, frame(rows()))
    alarm = json.loads(made["value"][0])
    assert bytes(made["key"][0]) == b"d1"
    assert list(alarm) == field_names("anomaly") == list(json_schema("anomaly")["properties"])
    assert (alarm["device_id"], alarm["sensor_id"], alarm["metric"]) == ("d1", "d1-t", "t")
    assert alarm["event_time"] == "2026-11-03T12:01:20.000001Z"
    assert alarm["event_date"] == "2026-11-03"
    assert alarm["value"] > 500
    assert alarm["score"] >= alarm["threshold"] == 1.0
    assert alarm["severity"] == "critical"
    features = alarm["features"]
    assert features["since_seconds"] == 0
    own = alarm["detector"].removeprefix("learned_")
    assert features[f"score_{own}"] == alarm["score"]
    assert {f"score_{name}" for name in standard.ensemble().names} <= features.keys()
    assert anomalies.parse(pa.chunked_array([pa.array(made["value"], pa.binary())])).num_rows == len(made)


def test_a_fault_is_one_alarm_and_not_one_a_row(tester):
    fault = tuple((1, second) for second in range(70, 75))
    assert len(tester.testInPandas(0, frame(rows(spikes=fault)))) == 1


@settings(max_examples=12, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 270), max_size=6),
    repeats=st.lists(st.integers(0, 5), min_size=7, max_size=7),
    lost=st.lists(st.booleans(), min_size=7, max_size=7),
    order=st.randoms(use_true_random=False),
)
def test_any_split_into_batches_raises_the_same_alarms(tmp_path_factory, cuts, repeats, lost, order):
    """However readings are cut into batches and mixed within one, whichever come twice, and whenever the worker is
    another one."""
    processor._at_hand.clear()
    tester = TwsTester(processor.Detect(tmp_path_factory.getbasetemp(), WEEK))
    whole = rows(spikes=((1, 80), (2, 65), (0, 89)))
    borders = sorted({0, *cuts, len(whole)})
    found = set()
    for number, (first, end) in enumerate(pairwise(borders)):
        batch = whole[first:end] + whole[max(0, first - repeats[number % 7]) : first]
        order.shuffle(batch)
        if lost[number % 7]:
            forget_the_worker()
        found |= ids_of(tester.testInPandas(0, frame(batch)))
    assert found == offline(whole)
    assert len(found) >= 3


def test_a_late_reading_is_judged_and_nothing_is_learned_from_it(tester):
    whole = rows(devices=1, spikes=())
    late = ("d0", "d0-t", "t", START + 85 * SECOND + SECOND // 2, 900.0)
    tester.testInPandas(0, frame(whole))
    before = stored(tester)
    found = tester.testInPandas(0, frame([late]))
    assert [json.loads(value)["value"] for value in found["value"]] == [900.0]
    after = stored(tester)
    assert all(
        np.array_equal(before.cohorts[1].state[name], array, equal_nan=True)
        for name, array in after.cohorts[1].state.items()
    )


def test_metrics_and_devices_appear_while_it_runs(tester):
    tester.testInPandas(0, frame(rows(devices=1)))
    second = [("d0", "d0-h", "h", at, value) for _, _, _, at, value in rows(devices=1, start=START + 100 * SECOND)]
    tester.testInPandas(0, frame(second + rows(devices=2, start=START + 200 * SECOND)))
    fleet = stored(tester)
    assert {fleet.metrics("d0"), fleet.metrics("d1")} == {("t", "h"), ("t",)}


def test_a_batch_writes_its_readings_and_not_the_fleet(tester):
    whole = rows()
    tester.testInPandas(0, frame(whole[:200]))
    tester.testInPandas(0, frame(whole[200:]))
    head = journal.Head(*tester.peekValueState("head", 0))
    assert (head.sequence, head.snapshot_sequence, head.parts) == (2, 0, 0)
    assert head.steps_bytes == sum(len(content) for (content,) in tester.peekMapState("steps", 0).values())


def test_a_journal_that_has_grown_long_becomes_a_snapshot(tester, monkeypatch):
    monkeypatch.setattr(journal, "MOST_STEPS", 4)
    monkeypatch.setattr(journal, "PART_BYTES", 1000)
    whole = rows()
    found = set()
    for first in range(0, len(whole), 20):
        found |= ids_of(tester.testInPandas(0, frame(whole[first : first + 20])))
        if first % 60 == 0:
            forget_the_worker()
    head = journal.Head(*tester.peekValueState("head", 0))
    assert head.parts > 1
    assert len(tester.peekMapState("snapshot", 0)) == head.parts
    assert len(tester.peekMapState("steps", 0)) == head.sequence - head.snapshot_sequence < 4
    assert found == offline(whole)


def test_a_batch_that_failed_leaves_nothing_in_the_worker(tester):
    """Spark takes the state back to the batch before; the fleet in the worker has seen more."""
    whole = rows()
    tester.testInPandas(0, frame(whole[:100]))
    kept = tester.peekValueState("head", 0), tester.peekMapState("steps", 0)
    tester.testInPandas(0, frame([(*row[:4], 1e6) for row in whole[100:150]]))
    tester.updateValueState("head", 0, kept[0])
    tester.updateMapState("steps", 0, kept[1])
    assert ids_of(tester.testInPandas(0, frame(whole[100:]))) == offline(whole)


def test_devices_that_are_silent_for_long_are_forgotten_with_a_snapshot(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "MOST_STEPS", 1)
    processor._at_hand.clear()
    tester = TwsTester(processor.Detect(tmp_path, 2 * HOUR))
    tester.testInPandas(0, frame(rows(devices=3)))
    assert len(stored(tester)) == 3
    tester.testInPandas(0, frame(rows(devices=1, start=START + HOUR)))
    assert len(stored(tester)) == 3
    tester.testInPandas(0, frame(rows(devices=1, start=START + 3 * HOUR)))
    assert len(stored(tester)) == 1
    forget_the_worker()
    tester.testInPandas(0, frame(rows(devices=1, start=START + 4 * HOUR)))
    assert len(stored(tester)) == 1


def silent(made):
    return [json.loads(value)["device_id"] for value in made.get("value", [])]


def test_a_shard_whose_devices_are_all_silent_says_so_by_the_clock_of_the_others(tester):
    tester.testInPandas(0, frame(rows(seconds=120, spikes=())))
    found = []
    for second in range(120, 200, 2):
        found += silent(tester.testInPandas(0, frame([], clock=START + second * SECOND)))
        if second % 10 == 0:
            forget_the_worker()
    assert sorted(found) == ["d0", "d1", "d2"], "each once"
    assert silent(tester.testInPandas(0, frame(rows(seconds=60, spikes=(), start=START + 200 * SECOND)))) == []


def test_a_pause_of_all_shards_is_no_silence(tester):
    tester.testInPandas(0, frame(rows(seconds=120, spikes=())))
    assert silent(tester.testInPandas(0, frame([], clock=START + HOUR))) == []


def test_a_shard_without_devices_keeps_nothing(tester):
    for second in range(3):
        assert silent(tester.testInPandas(7, frame([], clock=START + second * SECOND))) == []
    assert tester.peekValueState("head", 7) is None
    assert len(tester.testInPandas(7, frame(rows()))) == 1


def test_a_new_shard_begins_from_its_seed_and_needs_it_no_longer(tmp_path):
    whole = rows()
    fleet = Fleet(standard.ensemble())
    fleet.judge(step.of([frame(whole[:150])]).readings)
    seed = tmp_path / "7.fleet"
    seed.write_bytes(fleet_bytes.dump(fleet))
    processor._at_hand.clear()
    tester = TwsTester(processor.Detect(tmp_path, WEEK))
    found = ids_of(tester.testInPandas(7, frame(whole[150:200])))
    seed.unlink()
    forget_the_worker()
    found |= ids_of(tester.testInPandas(7, frame(whole[200:])))
    assert found == offline(whole)


def test_a_fleet_of_a_later_version_is_refused_with_the_command(tmp_path):
    (tmp_path / "7.fleet").write_bytes(b'\0\0\0\x0d{"format":99}')
    processor._at_hand.clear()
    tester = TwsTester(processor.Detect(tmp_path, WEEK))
    with pytest.raises(CheckpointError, match=r"a later version.*`sensorlake checkpoints restart detect`"):
        tester.testInPandas(7, frame(rows()))


def test_fleets_are_divided_anew_without_loss():
    whole = rows(devices=9)
    other = [("d0", "d0", "h", at, value) for _, _, _, at, value in rows(devices=1)]
    fleets = []
    for number in range(2):
        fleet = Fleet(standard.ensemble())
        own = [row for row in whole + other if int(row[0][1:]) % 2 == number]
        fleet.judge(step.of([frame(own)]).readings)
        fleets.append(fleet)
    parts = reshard.split(fleets, 4, lambda devices: [int(device[1:]) % 3 for device in devices])
    assert [len(part) for part in parts] == [3, 3, 3, 0]
    both = [dict(_states(group)) for group in (fleets, parts)]
    assert both[0].keys() == both[1].keys()
    for device, state in both[0].items():
        assert all(np.array_equal(array, both[1][device][name], equal_nan=True) for name, array in state.items())


def _states(fleets):
    for fleet in fleets:
        for cohort in fleet.cohorts.values():
            for row, device in enumerate(cohort.devices):
                yield device, {name: array[row] for name, array in cohort.state.items()}


def test_a_step_comes_back_from_its_bytes():
    taken = step.of([frame(rows())])
    readings = taken.readings
    again, clock = step.load(step.dump(taken))
    assert isinstance(again, Readings)
    assert clock == taken.clock
    assert (again.devices, again.metrics) == (readings.devices, readings.metrics)
    assert all(
        np.array_equal(getattr(again, name), getattr(readings, name)) for name in ("device", "metric", "time", "value")
    )


def stored(tester, shard=0):
    """The fleet as the store has it."""
    head = journal.Head(*tester.peekValueState("head", shard))
    snapshot, steps = tester.peekMapState("snapshot", shard), tester.peekMapState("steps", shard)
    return journal.restored(
        standard.ensemble(),
        [snapshot[(part,)][0] for part in range(head.parts)],
        [steps[(number,)][0] for number in range(head.snapshot_sequence + 1, head.sequence + 1)],
    )
