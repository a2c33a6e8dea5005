"""What people read of a benchmark's result: every figure where it belongs, and what is not known as a dash."""

import pytest
from rich.console import Console

from benchmarks import catch_up_report, scale, scale_report, soak_report, throughput_report

MACHINE = {
    "cpu": "Some CPU",
    "cores": 2,
    "memory_gib": 4,
    "kernel": "Linux 6",
    "load_average_before": 0.1,
    "versions": {"spark": "4.2.0"},
}
LAG = {"grows": True, "highest": 9, "end": 9, "rate": 1000.0, "slope": 25.0, "low": 20.0, "high": 30.0}
UNKNOWN = dict.fromkeys(LAG)


def printed(report):
    console = Console(width=200, record=True, file=None)
    with console.capture() as captured:
        console.print(report)
    return captured.get()


def test_throughput():
    step = {"rate": 2000, "sustained": False, "reasons": ["the lag of lake grows"], "drain_seconds": None}
    load = {"sensors": 10, "seconds": 180, "warmup_seconds": 60, "queries": ["alerts", "lake"]}
    document = {
        "machine": MACHINE,
        "load": load,
        "steps": [step | {"lag": {"lake": LAG, "alerts": UNKNOWN}}],
        "highest_sustained": None,
        "ended": "after 1 steps",
        "peak_rss_mb_by": {"kafka": 300.0},
        "aims": {"messages a second": 30_000},
        "aims_met": {"messages a second": False},
    }
    text = printed(throughput_report.render(document))
    assert "+2.5 ±0.5 !" in text
    assert "not in time" in text
    assert "highest sustained: 0 messages a second (after 1 steps); aim 30,000: not met" in text
    assert "Some CPU, 2 cores" in text
    assert throughput_report.panels(document) == {"alerts": {"highest lag": []}, "lake": {"highest lag": [(2000, 9)]}}


def test_catch_up():
    document = {
        "machine": MACHINE,
        "load": {"sensors": 10, "real_seconds": 3600, "rate": 10_000, "queries": ["lake"]},
        "sent": {"messages": 36_000_000, "readings": 43_000_000},
        "queries": {"lake": {"seconds": 600.0, "times_real_time": 6.0, "highest_lag": 36_000_000}},
        "times_real_time": 6.0,
        "start_seconds": 30.0,
        "cpu_seconds_per_million": 10.0,
        "cpu_seconds_by": {"kafka": 5.0},
        "peak_rss_mb_by": {"stream": 2000.0},
        "memory_over_time": [{"from_s": 0.0, "mb": {"stream": 2000.0}}],
        "lag_over_time": [{"from_s": 0.0, "lag": {"lake": 5.0}}, {"from_s": 10.0, "lag": {"lake": 0.0}}],
        "lost": 0,
        "doubled": 1,
        "aims": {"times real time": 5.0},
        "aims_met": {"times real time": True},
    }
    text = printed(catch_up_report.render(document))
    assert "6 times real time; aim >= 5" in text
    assert "0, 1 (anomalies: all ids)" in text
    assert catch_up_report.panels(document) == {
        "behind, % of its highest": {"lake": [(0.0, 100.0), (10.0, 0.0)]},
        "memory, MB": {"stream": [(0.0, 2000.0)]},
    }


@pytest.fixture
def sizes():
    by = {"kafka": 1.0}
    parts = {"cpu_seconds_per_million_by": by, "peak_rss_mb_by": by, "disk_mb_per_million_by": by}
    return [
        {"sensors": 1000, "costs": {"CPU s a million": 100.0, "state rows": None}, **parts},
        {"sensors": 10_000, "costs": {"CPU s a million": 2000.0, "state rows": None}, **parts},
        {"sensors": 100_000, "failed": "the stream did not start\nits log"},
    ]


def test_scale(sizes):
    found = {"load": {"rate": 10_000, "seconds": 120}, "sizes": sizes, **scale.judged(sizes)}
    document = {"machine": MACHINE, "sensors": found}
    text = printed(scale_report.render(document))
    assert "failed: the stream did not start" in text
    assert "1.3" in text  # the exponent: twenty times the cost for ten times the sensors
    assert "faster" in text
    assert scale_report.panels(document)["CPU s a million"] == {"": [(1000, 100.0), (10_000, 2000.0)]}
    assert scale_report.panels(document)["state rows"] == {"": []}


def test_days_of_history():
    day = {"rows": 14_400, "seconds": 10.0, "peak_mb": 900.0}
    lake = {"days": 10, "stream": {"cpu_seconds_per_million": 90.0, "peak_rss_mb_by": {"stream": 2000.0}}, "day": day}
    found = {
        "history": {"sensors": 10},
        "lakes": [lake],
        "larger_day": day | {"rows": 57_600},
        "aims_met": {"a day's cost is constant": True},
    }
    text = printed(scale_report.render({"machine": MACHINE, "days": found}))
    assert "57,600" in text
    assert "a day's cost is constant" in text


def test_soak():
    trend = {"kind": "memory MB", "name": "stream", "level": 900.0, "an_hour": 1.0, "low": 0.5, "high": 1.5}
    document = {
        "machine": MACHINE,
        "load": {
            "rate": 100,
            "sensors": 10,
            "minutes": 60,
            "warmup_seconds": 60,
            "churn_share": 0.2,
            "life_seconds": 600,
            "queries": ["alerts"],
        },
        "seconds": 2700.0,
        "devices": 22,
        "cores_used": {"stack": 1.0},
        "trends": [
            trend | {"a_day_more": 24.0, "flat": False, "judged": True},
            trend | {"kind": "disk MB", "a_day_more": 24.0, "flat": False, "judged": False},
        ],
        "sent": {"messages": 100, "readings": 120},
        "readings_in_delta": None,
        "alerts": {"due": 5, "came": 4},
        "drain_seconds": None,
        "failures": {},
        "aims_met": {"flat": False},
        "series": {"lag": {"lake": [(60.0, 5.0)]}},
    }
    text = printed(soak_report.render(document))
    assert "for 45 min" in text
    assert "+1.00 (+0.50 to +1.50)" in text
    assert "grows with the data" in text
    assert "4 of 5" in text
    assert soak_report.panels(document) == {"lag": {"lake": [(1.0, 5.0)]}}
