"""The demo's arithmetic: what is sent on purpose, what comes back, what the last line says."""

import json
from pathlib import Path

import numpy as np
import orjson
import pytest

from edge.simulator import Simulator
from sensorlake.demo import lake_progress, plan, summary
from sensorlake.demo.figures import percentiles, shown
from sensorlake.demo.kafka_tap import Alerts
from sensorlake.demo.lake_watch import Batches
from sensorlake.demo.measure import Counts
from sensorlake.demo.mischief import BROKEN, Mischief
from sensorlake.demo.summary import Result
from sensorlake.errors import StackError

START = 1_700_000_000_000_000


def test_mischief_is_rare_and_counted():
    simulator = Simulator(100, 0.05, 7, START, seconds=20)
    mischief = Mischief(one_in=100)
    blocks = list(mischief.among(simulator.blocks(64)))
    sent = sum(len(block.payloads) for block in blocks)
    assert mischief.broken == mischief.repeated == 20
    assert sent == 2000 + 20 + 20
    payloads = [payload for block in blocks for payload in block.payloads]
    assert sum(payload in BROKEN for payload in payloads) == 20
    honest = [payload for payload in payloads if payload not in BROKEN]
    assert len(honest) - len(set(honest)) == 20
    plain = sum(block.readings for block in simulator.blocks(64))
    assert sum(block.readings for block in blocks) == plain + 40


def test_mischief_is_not_ahead_of_its_time():
    blocks = list(Mischief(one_in=10).among(Simulator(50, 0, 7, START, seconds=10).blocks(25)))
    due = np.concatenate([block.due for block in blocks])
    assert (np.diff(due) >= 0).all()


def test_without_influxdb_the_queries_that_write_to_it_do_not_run():
    plan.require(["influxdb"])
    assert plan.queries([]) == [
        "alerts",
        "detect",
        "lake",
        "postgres",
        "influxdb",
        "anomalies",
        "metrics",
        "autoencoder",
    ]
    assert plan.queries(["influxdb"]) == ["alerts", "detect", "lake", "postgres", "anomalies", "autoencoder"]
    assert plan.missing_parts([]) == []
    assert "influxdb" in plan.missing_parts(["influxdb"])[0]


@pytest.mark.parametrize("name", plan.NEEDED)
def test_what_the_demo_needs_cannot_be_left_out(name):
    with pytest.raises(StackError, match=name):
        plan.require([name])


def _anomaly(name: str, second: int) -> bytes:
    return orjson.dumps({"anomaly_id": name, "event_time": f"2026-01-01T00:00:{second:02d}.000000Z"})


def test_an_anomaly_counts_once_and_its_latency_from_the_first_time():
    base = 1_767_225_600_000  # 2026-01-01
    alerts = Alerts(since=base / 1000 + 0.5)
    alerts.take(_anomaly("of an earlier run", 0), base + 8_000)
    alerts.take(_anomaly("a", 1), base + 9_000)
    alerts.take(_anomaly("b", 10), base + 10_025)
    alerts.take(_anomaly("b", 10), base + 12_000)
    alerts.take(_anomaly("c", 5), base + 10_030)
    assert len(alerts.latencies) == 3
    assert alerts.first_at == (base + 9_000) / 1000
    assert alerts.counting() == [25]  # a and c were sent before the first one came out


def test_only_commits_with_counts_are_batches():
    counts = {"messages": 10, "valid": 12, "dead_letters": 1, "duplicates": 2}
    sums = Batches().plus({"operation": "WRITE", "userMetadata": json.dumps(counts)}).plus({"operation": "OPTIMIZE"})
    assert sums == Batches(1, 10, 12, 1, 2)
    assert sums.plus({"userMetadata": "written by hand"}) == sums


def test_progress_is_read_from_the_last_completed_batch(tmp_path: Path):
    assert lake_progress.consumed(tmp_path, "raw") == {}
    for folder in ("commits", "offsets"):
        (tmp_path / folder).mkdir()
    for batch in (9, 10, 11):
        (tmp_path / "offsets" / str(batch)).write_text(f'v1\n{{"conf":{{}}}}\n{{"raw":{{"0":{batch},"1":7}}}}')
    for name in ("9", "10", ".10.crc"):
        (tmp_path / "commits" / name).write_text("v1\n{}")
    done = lake_progress.consumed(tmp_path, "raw")
    assert done == {0: 10, 1: 7}
    assert lake_progress.left({0: 12, 1: 7}, done) == 2
    assert lake_progress.left({0: 12, 1: 7}, {}) == 19


def result(**changes: object) -> Result:
    values: dict[str, object] = {
        "seconds": 30.04,
        "readings_in": 100,
        "messages_in": 80,
        "unacknowledged": 0,
        "batches": Batches(3, 80, 95, 2, 3),
        "counts": Counts(95, 2, 40, 5, 5, 95, 40, 5),
        "anomalies": 5,
        "latencies_ms": [10.0, 20.0, 30.0],
        "freshness_s": np.array([1.0, 2.0, 3.0]),
        "first_alert_s": 41.23,
        "peak_rss_mb": 2000.0,
        "left_out": [],
        "behind": [],
    }
    return Result(**(values | changes))  # type: ignore[arg-type]


def test_the_last_line_is_json_with_every_promised_figure():
    last = summary.lines(result())[-1]
    assert last.startswith("DEMO ")
    found = json.loads(last.removeprefix("DEMO "))
    promised = """seconds readings_in valid dead_letters duplicates anomalies delta_readings delta_features
        postgres_anomalies influx_points alert_latency_ms lake_freshness_s peak_rss_mb"""
    assert set(promised.split()) <= found.keys()
    assert {"p50", "p95", "p99"} <= found["alert_latency_ms"].keys()
    assert {"p50", "p95"} <= found["lake_freshness_s"].keys()
    assert found["influx_points"] == 140
    assert max(len(line) for line in summary.lines(result())[:-1]) <= 80


def test_a_missing_reading_is_said():
    assert "nothing is missing" in summary.balance(summary.document(result()))[-1]
    told = summary.balance(summary.document(result(readings_in=101, behind=["lake"], unacknowledged=1)))
    assert len(told) == 3
    assert "nothing is missing" not in " ".join(told)


def test_a_demo_without_influxdb_and_without_alerts_has_nulls_not_zeros():
    counts = Counts(95, 2, 40, 0, 0, None, None, None)
    found = summary.document(result(counts=counts, latencies_ms=[], first_alert_s=None, left_out=["influxdb"]))
    assert found["influx_points"] is None
    assert found["alert_latency_ms"]["p95"] is None
    assert summary.lines(result(counts=counts))


def test_percentiles_and_their_form():
    assert percentiles([], 50) == {"p50": None}
    assert percentiles([0, 100], 50, 95) == {"p50": 50.0, "p95": 95.0}
    assert [shown(None), shown(12345), shown(2.55, "s"), shown(3.0)] == ["-", "12,345", "2.5 s", "3"]
