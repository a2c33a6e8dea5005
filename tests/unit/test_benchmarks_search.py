"""The search for the highest rate, what catching up means, and sensors that come and go."""

from itertools import pairwise

import numpy as np
import orjson
import pytest

from benchmarks import catch_up, expected, history, ratio, recovery, scale
from benchmarks.alert_count import AlertCount
from benchmarks.churn import ChurningPlan
from benchmarks.fleet_limits import rows_of
from benchmarks.load import Plan
from benchmarks.observers.progress import Place, committed
from benchmarks.plain_loop import alert
from benchmarks.rate_search import RateSearch
from edge import limits

START = 1_700_000_000_000_000


def rates(search, highest):
    """The rates that a search tries on a system that sustains `highest`."""
    tried = []
    while (rate := search.next()) is not None:
        tried.append(rate)
        search.note(rate, rate <= highest)
    return tried


def test_the_rate_doubles_until_it_is_too_high_and_then_the_rest_is_halved():
    search = RateSearch(10_000, 20)
    assert rates(search, 33_000) == [10_000, 20_000, 40_000, 30_000, 35_000, 32_500]
    assert (search.sustained, search.too_high, search.is_found) == (32_500, 35_000, True)


def test_a_first_rate_that_is_too_high_is_halved_until_one_is_sustained():
    search = RateSearch(10_000, 20)
    assert rates(search, 1_500)[:4] == [10_000, 5_000, 2_500, 1_250]
    assert search.sustained <= 1_500 < search.too_high


def test_nothing_sustained_ends_with_its_steps():
    search = RateSearch(1000, 3)
    assert rates(search, 0) == [1000, 500, 250]
    assert search.sustained is None
    assert not search.is_found


def test_no_rate_is_above_the_ceiling():
    search = RateSearch(10_000, 20, ceiling=30_000)
    assert rates(search, 1e9) == [10_000, 20_000, 30_000]
    assert search.is_found


def test_steps_are_bounded():
    assert rates(RateSearch(10_000, 2), 1e9) == [10_000, 20_000]


def test_a_query_has_caught_up_when_it_is_behind_no_more():
    places = [Place(100.0, 0, 50), Place(110.0, 50, 50), Place(120.0, 50, 60), Place(130.0, 60, 60)]
    assert catch_up.caught_up(places, 100, 300) == {"seconds": 30.0, "times_real_time": 10.0, "highest_lag": 50}
    assert catch_up.caught_up(places[:3], 100, 300)["seconds"] is None
    assert catch_up.caught_up([], 100, 300) == {"seconds": None, "times_real_time": None, "highest_lag": None}


def test_memory_over_time_is_the_highest_of_each_stretch():
    samples = [(100.0, {"stream": 5.0}), (104.0, {"stream": 9.0, "kafka": 1.0}), (121.0, {"stream": 2.0})]
    assert catch_up.over_time(samples, 100, "mb") == [
        {"from_s": 0.0, "mb": {"stream": 9.0, "kafka": 1.0}},
        {"from_s": 20.0, "mb": {"stream": 2.0}},
    ]


class Watch:
    def __init__(self):
        self.seen = {}


class Clock:
    def __init__(self):
        self.time = 0

    def now(self):
        return self.time


def test_alerts_are_behind_by_those_that_are_due():
    watch, clock = Watch(), Clock()
    count = AlertCount(watch, clock)
    count.expect(np.array([10, 20, 30]))
    count.expect(np.array([25]))
    clock.time = 25
    watch.seen = {"a": 11}
    assert count() == (1, 3)
    assert count.write_off() == 2
    assert count() == (1, 1)
    clock.time = 30
    assert count() == (1, 2)


def test_alerts_of_what_was_not_sent_are_not_waited_for():
    watch, clock = Watch(), Clock()
    count = AlertCount(watch, clock)
    count.expect(np.array([10, 20, 30]))
    clock.time = 40
    watch.seen = {"a": 11}
    count.forget(20)
    assert count() == (1, 2)


@pytest.mark.parametrize("batches", [[0, 1, 9, 10], [10]])
def test_what_is_committed_is_the_newest_batch_that_has_a_commit(tmp_path, batches):
    for folder in ("commits", "offsets"):
        (tmp_path / folder).mkdir()
    assert committed(tmp_path) is None
    for batch in batches:
        (tmp_path / "commits" / str(batch)).touch()
    for batch in [*batches, 11]:
        (tmp_path / "offsets" / str(batch)).write_text(f'v1\n{{"conf": 1}}\n{{"raw": {{"0": {batch}}}}}\n-')
    (tmp_path / "commits" / ".10.crc").touch()
    assert committed(tmp_path) == [{"raw": {"0": 10}}, {}]


def test_a_query_that_has_not_begun_has_committed_nothing(tmp_path):
    assert committed(tmp_path / "none") is None


@pytest.fixture(scope="module")
def churning():
    plan = ChurningPlan(
        sensors=40,
        rate=40,
        warmup_seconds=0,
        seconds=60,
        seed=5,
        start=START,
        violating_share=0.1,
        churn_share=0.5,
        life_seconds=10,
    )
    return plan.run()


def devices_of(run, first, count):
    bodies = [orjson.loads(payload) for payload in run.block(first, count).payloads]
    return [body.get("device_id") or body["sensor_id"] for body in bodies]


def test_devices_go_and_new_ones_come_in_their_place(churning):
    by_second = [set(devices_of(churning, second * 40, 40)) for second in range(60)]
    assert all(len(found) == 40 for found in by_second)
    stay = set.intersection(*by_second)
    assert len(stay) == 40 - 18  # half of the 36 that do not violate
    assert len(set.union(*by_second)) == churning.devices(START + 59_999_999)
    fresh = [len(after - before) for before, after in pairwise(by_second)]
    assert max(fresh) <= 4, "one after the other, not all at once"
    assert sum(fresh) >= 5 * 18 - 1


def test_a_device_that_has_gone_never_comes_back(churning):
    last = {}
    for second in range(60):
        for name in devices_of(churning, second * 40, 40):
            last.setdefault(name, []).append(second)
    assert all(seconds == list(range(seconds[0], seconds[-1] + 1)) for seconds in last.values())


def test_keys_and_messages_name_the_same_device(churning):
    block = churning.block(1000, 80)
    assert [key.decode() for key in block.keys] == devices_of(churning, 1000, 80)


def test_the_expected_alerts_stay_those_of_the_sensors_that_stay(churning):
    names = {churning.simulator.fleet.names[number] for number in np.flatnonzero(churning.mask).tolist()}
    stay = set.intersection(*(set(devices_of(churning, second * 40, 40)) for second in range(60)))
    assert names <= stay
    assert expected.violations_due(churning).tolist() == sorted(expected.anomalies(churning).values())


def test_the_plain_loop_makes_the_alerts_that_are_expected():
    plan = ChurningPlan(
        sensors=40, rate=40, warmup_seconds=0, seconds=10, seed=5, start=START, violating_share=0.1, fault_share=0.3
    )
    run = plan.run()
    bounds = {name: (limit.lower, limit.upper) for name, limit in limits.load().items()}
    blocks = [run.block(first, 100) for first in range(0, run.total, 100)]
    made = [found for block in blocks for payload in block.payloads if (found := alert(payload, bounds)) is not None]
    assert {found["anomaly_id"] for found in made} == expected.anomalies(run).keys()


def test_limits_of_a_fleet_are_one_row_a_sensor_and_those_of_its_metric():
    rows = rows_of(50, 5)
    assert rows.num_rows == 50
    known = limits.load()
    for row in rows.to_pylist():
        assert (row["lower"], row["upper"]) == (known[row["metric"]].lower, known[row["metric"]].upper)
        assert (row["z_limit"], row["source"]) == (None, "learned")


def test_a_ratio_needs_both():
    assert ratio.ratio({"p50": 20.0, "p95": 40.0}, {"p50": 8.0, "p95": 8.0}) == {"p50": 2.5, "p95": 5.0}
    assert ratio.ratio({"p50": None, "p95": None}, {"p50": 8.0, "p95": 8.0}) == {"p50": None, "p95": None}


def test_a_size_that_fails_meets_no_aim():
    sizes = [{"sensors": 10, "costs": {"CPU": 5.0}}, {"sensors": 100, "costs": {"CPU": 6.0}}]
    assert scale.judged(sizes)["aims_met"] == {"no cost grows faster than linearly": True}
    assert scale.judged([*sizes, {"sensors": 1000, "failed": "x"}])["aims_met"] == {
        "no cost grows faster than linearly": False
    }


def test_history_costs_nothing_where_the_figures_stay():
    def lake(days, cpu, seconds):
        return {"days": days, "stream": {"cpu_seconds_per_million": cpu}, "day": {"seconds": seconds}}

    found = history.judged([lake(1, 100, 10), lake(100, 120, 11)], {"seconds": 40})
    assert (found["stream_cpu_highest_over_lowest"], found["day_exponent_of_its_size"]) == (1.2, 0.931)
    assert all(found["aims_met"].values())
    found = history.judged([lake(1, 100, 10), lake(100, 200, 30)], {"seconds": 300})
    assert not any(found["aims_met"].values())


def test_alerts_are_back_to_normal_from_where_they_stay_so():
    def windows(*p95):
        return [{"from_s": 5.0 * number, "p95": value} for number, value in enumerate(p95)]

    assert recovery.back_to(windows(9000.0, 40.0, 200.0, 45.0, 50.0), 50.0) == 15.0
    assert recovery.back_to(windows(10.0, 10.0), 50.0) == 0.0
    assert recovery.back_to(windows(10.0, 60.0), 50.0) is None
    assert recovery.back_to([], 50.0) is None


def test_a_stream_that_falls_silent_has_not_recovered():
    second, start = 1_000_000, 1_000_000_000
    plan = Plan(sensors=1, rate=1, warmup_seconds=60, seconds=60, seed=0, start=start, violating_share=1.0)
    due = {f"a{number}": start + number * second for number in range(120)}
    silent = plan.end - 20 * second
    seen = {name: at + 10_000 for name, at in due.items() if at < silent}
    found = recovery.judged(seen, due, plan, recovery.Restart(plan.first_counted, plan.first_counted, None))
    assert found["seconds_after_kill"]["alerts as fast as before"] is None
    assert not found["aims_met"]["seconds from start to normal"]


def test_recovery_counts_from_the_kill_and_from_the_new_process():
    """20 s away, in which the alerts of each second wait for the new process; then as before."""
    second, start = 1_000_000, 1_000_000_000
    plan = Plan(sensors=1, rate=1, warmup_seconds=60, seconds=60, seed=0, start=start, violating_share=1.0)
    killed = plan.first_counted
    back = killed + 20 * second
    due = {f"a{number}": start + number * second for number in range(120)}
    seen = {name: at + 10_000 if at < killed or at >= back else back + 10_000 for name, at in due.items()}
    restart = recovery.Restart(killed, killed + 2 * second, killed + 19 * second)
    found = recovery.judged(seen, due, plan, restart)
    assert found["before"]["p95"] == 10.0
    assert found["seconds_after_kill"] == {
        "new process": 2.0,
        "first alert": 20.0,
        "all queries run": 19.0,
        "alerts as fast as before": 20.0,
    }
    assert found["seconds_from_start_to_normal"] == 18.0
    assert found["longest_wait_ms"] == 20_010.0
    assert found["aims_met"] == {"seconds from start to normal": True}
    never = recovery.judged(
        {name: at for name, at in seen.items() if at < killed}, due, plan, recovery.Restart(killed, None, None)
    )
    assert never["seconds_from_start_to_normal"] is None
    assert not never["aims_met"]["seconds from start to normal"]
