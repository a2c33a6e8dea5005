"""The expected ids are those of the messages that the load sends, and every message of a chosen sensor violates."""

import numpy as np
import orjson
import pytest

from benchmarks import expected
from benchmarks.load import Plan
from benchmarks.violations import beyond_limit, chosen_sensors
from contracts import identity
from edge import limits
from edge.metrics import METRICS

START = 1_700_000_000_000_000
LIMITS = limits.load()


@pytest.fixture(scope="module")
def run():
    plan = Plan(sensors=200, rate=100, warmup_seconds=2, seconds=4, violating_share=0.05, seed=3, start=START)
    return plan.run()


@pytest.fixture(scope="module")
def sent(run):
    """(device, metric, event time, value) of each reading, from the bytes."""
    readings = []
    first = 0
    while first < run.total:
        block = run.block(first, 37)
        first += len(block.payloads)
        for payload, due in zip(block.payloads, block.due.tolist(), strict=True):
            body = orjson.loads(payload)
            if "metric" in body:
                readings.append((body["sensor_id"], body["metric"], due, body["value"]))
            else:
                numbers = {name: value for name, value in body.items() if isinstance(value, int | float)}
                readings += [(body["device_id"], metric, due, value) for metric, value in numbers.items()]
    return readings


def test_the_ids_of_all_readings_are_known_beforehand(run, sent):
    ids = [identity.reading_id(device, device, metric, due) for device, metric, due, _ in sent]
    computed = expected.reading_ids(run, run.total).to_pylist()
    assert sorted(computed) == sorted(ids)
    assert len(set(computed)) == len(computed) > run.total


def test_the_ids_of_a_run_cut_short_are_those_of_its_messages(run):
    whole = expected.reading_ids(run, run.total).to_pylist()
    short = expected.reading_ids(run, 100).to_pylist()
    assert short == whole[: len(short)]


def test_the_anomalies_are_exactly_the_readings_beyond_their_limit(run, sent):
    beyond = {
        identity.anomaly_id(device, metric, due, "hard_limit"): due
        for device, metric, due, value in sent
        if not LIMITS[metric].lower <= value <= LIMITS[metric].upper
    }
    assert expected.anomalies(run) == beyond
    assert len(beyond) == 30  # 10 of 200 sensors, each three times in 600 messages


@pytest.mark.parametrize(("first", "end"), [(START, START + 6_000_000), (START + 2_000_000, START + 2_500_000)])
def test_the_readings_of_a_part_are_counted(run, sent, first, end):
    assert expected.readings_between(run, first, end) == sum(first <= due < end for _, _, due, _ in sent)


def test_a_block_counts_its_violations(run):
    assert sum(run.block(first, 100).violations for first in range(0, run.total, 100)) == 30


@pytest.mark.parametrize("metric", [metric.name for metric in METRICS])
def test_one_metric_of_a_message_goes_beyond_its_limit(metric):
    single = orjson.loads(beyond_limit(orjson.dumps({"sensor_id": "a", "metric": metric, "value": 1.0})))
    multi = orjson.loads(beyond_limit(orjson.dumps({"device_id": "a", metric: 1.0, "battery": 50, "signal": -60})))
    assert single["value"] > LIMITS[metric].upper
    assert multi == {"device_id": "a", metric: single["value"], "battery": 50, "signal": -60}


def test_faults_beyond_the_limit_are_expected_too():
    plan = Plan(
        sensors=50, rate=50, warmup_seconds=0, seconds=300, violating_share=0.02, fault_share=0.5, seed=3, start=START
    )
    run = plan.run()
    beyond = sum(run.block(first, 100).violations for first in range(0, run.total, 100))
    assert len(expected.anomalies(run)) == beyond > 300  # the violating sensor has 300


def test_the_ids_of_some_sensors_are_those_of_their_readings(run):
    some = np.zeros(200, dtype=bool)
    some[[3, 77]] = True
    names = {run.simulator.fleet.names[3], run.simulator.fleet.names[77]}
    wanted = []
    for first in range(0, run.total, 100):
        for payload, due in zip(run.block(first, 100).payloads, run.block(first, 100).due.tolist(), strict=True):
            body = orjson.loads(payload)
            name = body.get("device_id") or body["sensor_id"]
            metrics = (
                [body["metric"]] if "metric" in body else [m for m, v in body.items() if isinstance(v, int | float)]
            )
            wanted += [identity.reading_id(name, name, metric, due) for metric in metrics if name in names]
    assert sorted(expected.reading_ids(run, run.total, some).to_pylist()) == sorted(wanted)


def test_at_least_one_sensor_violates():
    assert chosen_sensors(10, 0.0, 0).sum() == 1
    assert chosen_sensors(1000, 0.01, 0).sum() == 10
