"""The simulated fleet: what it sends, and that the injected truth matches it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from edge import limits
from edge.episodes import Kind
from edge.simulator import Simulator
from edge.truth import TruthFile, rows
from sensorlake.errors import InputFileError

START = 1_795_000_000_000_000
RESERVED = {"device_id", "timestamp", "location", "battery", "signal"}


def messages(run: Simulator, size: int = 997) -> list[dict[str, object]]:
    return [json.loads(payload) for block in run.blocks(size) for payload in block.payloads]


def main_value(message: dict[str, object]) -> tuple[str, str, float]:
    """(device, metric, value) of either form."""
    if "sensor_id" in message:
        return str(message["sensor_id"]), str(message["metric"]), float(str(message["value"]))
    (metric,) = message.keys() - RESERVED
    return str(message["device_id"]), metric, float(str(message[metric]))


def test_same_seed_gives_the_same_bytes_however_the_run_is_cut() -> None:
    def run() -> Simulator:
        return Simulator(50, 0.2, 3, START, rate=500, seconds=4)

    whole = [payload for block in run().blocks(10_000) for payload in block.payloads]
    cut = [payload for block in run().blocks(7) for payload in block.payloads]
    assert whole == cut
    assert len(whole) == 2000


def test_another_seed_gives_other_values() -> None:
    first, second = (Simulator(50, 0, seed, START, seconds=1).block(0, 50).payloads for seed in (1, 2))
    assert not set(first) & set(second)


def test_message_i_is_due_at_start_plus_i_over_rate_and_says_so() -> None:
    run = Simulator(10, 0, 0, START, rate=4, seconds=2)
    block = run.block(0, 100)
    assert (block.due - START).tolist() == [0, 250_000, 500_000, 750_000, 1_000_000, 1_250_000, 1_500_000, 1_750_000]
    assert json.loads(block.payloads[1])["timestamp"] == "2026-11-18T11:06:40.250000Z"


def test_every_sensor_sends_once_a_round_with_its_name_as_key() -> None:
    block = Simulator(200, 0, 0, START, seconds=1).block(0, 200)
    assert len(set(block.keys)) == 200
    assert [main_value(json.loads(p))[0].encode() for p in block.payloads] == block.keys


def test_a_tenth_sends_the_multi_metric_form_and_each_number_counts_as_a_reading() -> None:
    block = Simulator(2000, 0, 0, START, seconds=1).block(0, 2000)
    multi = [message for message in map(json.loads, block.payloads) if "device_id" in message]
    assert 120 < len(multi) < 280
    assert block.readings == 2000 + 2 * len(multi)
    assert all(0 <= message["battery"] <= 100 and -115 < message["signal"] < -20 for message in multi)


def test_normal_values_stay_inside_the_limits_over_a_day() -> None:
    run = Simulator(300, 0, 5, START, rate=1, seconds=86_400)
    assert sum(block.violations for block in run.blocks(4000)) == 0


def test_the_day_has_a_shape() -> None:
    run = Simulator(40, 0, 5, START, rate=40 / 600, seconds=86_400)
    by_device: dict[str, list[float]] = {}
    for message in messages(run):
        device, metric, value = main_value(message)
        if metric == "temperature":
            by_device.setdefault(device, []).append(value)
    assert all(max(values) - min(values) > 1.5 for values in by_device.values())


@pytest.mark.parametrize("seconds", [10, 60, 1500])
def test_each_affected_sensor_has_its_fault_within_the_run(seconds: float) -> None:
    run = Simulator(200, 0.25, 9, START, seconds=seconds)
    windows = range(run.window_of(run.total - 1) + 1) if run.total else range(0)
    for window in windows:
        planned = run.episodes(window)
        assert len(planned.sensor) == 50
        assert set(planned.kind.tolist()) == {0, 1, 2, 3}
        assert (planned.first <= planned.last).all()
        assert {run.window_of(int(i)) for i in (*planned.first, *planned.last)} == {window}
    assert len(run.affected) == 50


def test_faults_show_as_described() -> None:
    run = Simulator(400, 0.5, 11, START, seconds=300)
    quiet = Simulator(400, 0, 11, START, seconds=300)
    known = limits.load()
    seen: dict[str, list[tuple[str, float, float]]] = {}
    for message, normal in zip(messages(run), messages(quiet), strict=True):
        device, _, value = main_value(message)
        seen.setdefault(device, []).append((str(message["timestamp"]), value, main_value(normal)[2]))
    for device, metric, kind, start, end, count, magnitude in rows(run, 0):
        inside = [(v, n) for t, v, n in seen[device] if start <= t <= end]
        outside = [(v, n) for t, v, n in seen[device] if not start <= t <= end]
        assert len(inside) == count
        assert all(v == n for v, n in outside)
        values = [v for v, _ in inside]
        if kind == "spike":
            assert values == [magnitude] * count
            assert not known[metric].lower <= magnitude <= known[metric].upper
        elif kind == "stuck":
            assert len(set(values)) == 1
            assert values[0] == inside[0][1]
        elif kind == "drift":
            assert values[-1] - inside[-1][1] == pytest.approx(magnitude, abs=0.06)
        else:
            usual = run.fleet.noise[run.fleet.names.index(device)]
            assert np.std([v - n for v, n in inside]) == pytest.approx((magnitude - 1) * usual, rel=0.35)
    assert {sensor for sensor in seen if any(v != n for _, v, n in seen[sensor])} == {r[0] for r in rows(run, 0)}


def test_violations_counts_values_beyond_the_limits() -> None:
    run = Simulator(400, 0.5, 11, START, seconds=60)
    known = limits.load()
    beyond = sum(
        not known[metric].lower <= value <= known[metric].upper for _, metric, value in map(main_value, messages(run))
    )
    assert beyond > 0
    assert sum(block.violations for block in run.blocks(100)) == beyond


def test_slower_rounds_than_the_run_leave_silent_sensors_out_of_the_truth() -> None:
    run = Simulator(1000, 0.5, 2, START, rate=100, seconds=2)
    senders = {main_value(message)[0] for message in messages(run)}
    assert {row[0] for row in rows(run, 0)} <= senders


def test_no_message_carries_the_truth() -> None:
    run = Simulator(100, 1, 1, START, seconds=5)
    allowed = {"sensor_id", "metric", "value", "meta"} | RESERVED | set(limits.load())
    assert all(message.keys() <= allowed for message in messages(run))


def test_truth_of_an_endless_run_is_written_before_each_window(tmp_path: Path) -> None:
    run = Simulator(5, 1, 1, START, rate=0.5)
    path = tmp_path / "deep" / "truth.csv"
    file = TruthFile(path, run)
    blocks = file.ahead_of(run.blocks(100))
    for _ in range(7):
        block = next(blocks)
        with path.open(newline="") as lines:
            written = list(csv.DictReader(lines))
        assert len(written) == 5 * (run.window_of(block.first) + 1)
    assert run.window_of(block.first) == 2
    assert {row["kind"] for row in written} == {kind.name.lower() for kind in Kind}


@pytest.mark.parametrize(("sensors", "rate", "seconds"), [(1, 1, 1), (1, 1000, 0.01), (3, 0.001, 1), (7, 20_000, 0.1)])
def test_tiny_runs_work(sensors: int, rate: float, seconds: float) -> None:
    run = Simulator(sensors, 1, 0, START, rate=rate, seconds=seconds)
    assert len(messages(run)) == max(1, round(rate * seconds))


def test_limits_name_every_metric_once_with_a_range() -> None:
    known = limits.load()
    assert {"temperature", "battery", "signal", "machine_temperature", "Tp", "Fm_2"} <= known.keys()
    assert all(limit.lower < limit.upper and limit.unit and limit.source for limit in known.values())
    assert len(json.loads(limits.FILE.read_text("utf-8"))) == len(known)


@pytest.mark.parametrize(("name", "caught"), [("machine_temperature", 300), ("water_quality", 80)])
def test_limits_hardly_fire_on_normal_rows_of_the_examples(name: str, caught: int) -> None:
    known = limits.load()
    path = limits.FILE.parent.parent / "edge" / "examples" / f"{name}.csv"
    normal = false = true = 0
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines):
            beyond = any(
                not known[metric].lower <= float(value) <= known[metric].upper
                for metric, value in row.items()
                if metric in known and value
            )
            normal += row["anomaly"] == "0"
            false += beyond and row["anomaly"] == "0"
            true += beyond and row["anomaly"] == "1"
    assert false / normal < 0.001
    assert true >= caught


def test_a_truth_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputFileError, match=r"file/truth\.csv: the injected faults cannot be written"):
        TruthFile(tmp_path / "file" / "truth.csv", Simulator(5, 1, 1, START))
