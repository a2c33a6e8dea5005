"""Percentiles, comparison of ids, lag, CPU and verdicts from made-up samples."""

import numpy as np
import pyarrow as pa
import pytest

from benchmarks import lake_files, machine, percentiles, result
from benchmarks.comparison import compare


def ids(*names):
    return pa.chunked_array([pa.array(names, pa.string())])


def test_percentiles_are_samples():
    assert percentiles.summary(np.arange(1.0, 101)) == {"p50": 51.0, "p95": 96.0, "p99": 100.0, "max": 100.0}


def test_no_sample_has_no_percentile():
    assert set(percentiles.summary(np.array([])).values()) == {None}


def test_latency_counts_from_the_intended_time_and_only_in_the_counted_part():
    due = {"warm-up": 9_999, "first": 10_000, "never seen": 11_000, "last": 19_999, "after": 20_000}
    seen = {name: when + 5_000 for name, when in due.items() if name != "never seen"}
    times, waits = percentiles.latencies(seen, due, 10_000, 20_000)
    assert times.tolist() == [10_000, 19_999]
    assert waits.tolist() == [5.0, 5.0]


def test_nothing_seen_gives_empty_arrays():
    times, waits = percentiles.latencies({}, {"a": 5}, 0, 10)
    assert len(times) == len(waits) == 0


def test_a_pause_shows_in_its_stretch():
    due = np.array([0, 5_000_000, 10_000_000, 15_000_000, 39_000_000], dtype=np.int64)
    stretches = percentiles.over_time(due, np.array([10.0, 12.0, 300.0, 11.0, 9.0]), 0)
    assert [(s["from_s"], s["count"], s["max"]) for s in stretches] == [
        (0.0, 2, 12.0),
        (10.0, 2, 300.0),
        (30.0, 1, 9.0),
    ]


def test_one_lost_for_one_doubled_is_seen_though_the_counts_agree():
    found = compare(ids("a", "b", "c"), ids("a", "b", "b"))
    assert (found.expected, found.found, found.lost, found.doubled, found.unexpected) == (3, 3, 1, 1, 0)
    assert found.sample == ("c",)


def test_ids_that_nobody_sent_are_told_apart():
    found = compare(ids("a"), ids("a", "x", "x"))
    assert (found.lost, found.doubled, found.unexpected) == (0, 1, 1)


def test_nothing_found_is_all_lost():
    assert compare(ids("a", "b"), ids()).lost == 2


def test_repeats_in_the_topic_are_allowed_and_told():
    same = compare(ids("a"), ids("a"))
    twice = compare(ids("a", "b"), ids("a", "a"))
    losses = result.losses({"delta": same, "alerts": twice, "postgres": same})
    assert (losses["lost"], losses["doubled"], losses["anomaly_topic_repeats"]) == (1, 0, 1)
    assert losses["lost_by"] == {"delta": 0, "alerts": 1, "postgres": 0}


def test_cpu_is_what_was_used_between_two_moments():
    used = result.cpu({"kafka": 10.0}, {"kafka": 12.5, "minio": 0.5}, 2_000_000)
    assert used == {"cpu_seconds_per_million": 1.5, "cpu_seconds": 3.0, "cpu_seconds_by": {"kafka": 2.5, "minio": 0.5}}


def test_lag_is_that_of_the_counted_part():
    samples = [(0, 900), (10, 100), (12, 300), (15, 200), (19, 400), (20, 999)]
    found = result.lag(samples, 10, 20)
    assert found["highest_lag"] == 400
    assert found["lag"] == {"start": 100, "end": 400, "highest_by_quarter": [300, 0, 200, 400]}


def test_an_aim_without_figures_of_all_that_was_due_is_not_met():
    nothing = dict.fromkeys(("p50", "p95", "p99", "max"))
    good = {"p50": 1.0, "p95": 2.0, "p99": 3.0, "max": 4.0}
    document = {"alerts": good, "postgres": nothing, "influxdb": good, "delta": good}
    samples = {name: {"seen": 4 if name == "delta" else 5, "of": 5} for name in document}
    met = result.verdicts(document | {"samples": samples, "lost": 0, "doubled": 1, "peak_rss_mb": 6000.0})
    assert [name for name, is_met in met.items() if not is_met] == ["postgres p95", "delta p95", "nothing doubled"]


def test_of_alarms_it_is_not_known_how_many_were_due():
    document = {"alarms": {"p50": 1.0, "p95": 700.0, "p99": 800.0, "max": 900.0}, "samples": {}, "peak_rss_mb": 1.0}
    document["samples"]["alarms"] = {"seen": 3, "of": None}
    met = result.verdicts(document | {"lost": 0, "doubled": 0})
    assert met == {"alarms p95": True, "nothing lost": True, "nothing doubled": True, "memory": True}


def test_what_no_query_writes_is_not_lost():
    losses = result.losses({})
    assert (losses["lost"], losses["doubled"], losses["anomaly_topic_repeats"]) == (0, 0, None)


def test_a_compaction_adds_no_new_rows_to_the_lake():
    log = b"""{"commitInfo":{"operation":"WRITE","userMetadata":"{\\"messages\\": 5, \\"valid\\": 4}"}}
{"add":{"path":"event_date=2026-01-01/a.parquet","dataChange":true}}
{"add":{"path":"event_date=2026-01-01/b.parquet","dataChange":false}}
{"remove":{"path":"event_date=2026-01-01/c.parquet","dataChange":false}}"""
    commit = lake_files.parse(7, log)
    assert commit.files == ("event_date=2026-01-01/a.parquet",)
    assert commit.counts == {"messages": 5, "valid": 4}


@pytest.mark.parametrize("metadata", ['"by hand"', '"[1]"', '"{\\"a\\": null}"'])
def test_metadata_of_others_is_no_count(metadata):
    assert lake_files.parse(0, b'{"commitInfo":{"userMetadata":%b}}' % metadata.encode()).counts == {}


def test_versions_are_read_from_what_programs_say():
    assert machine.java_version('openjdk version "17.0.13" 2024-10-15\n') == "17.0.13"
    assert machine.kafka_version(["kafka-server-4.1.0.jar", "kafka-clients-4.1.0.jar"]) == "4.1.0"
    assert machine.cpu_model("processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\n") == "Some CPU @ 2.00GHz"
