"""Pictures of results: every destination that was measured, and the same file for the same figures."""

from benchmarks import pictures

MACHINE = {"cpu": "Some CPU", "cores": 2, "memory_gib": 4}
FIGURES = {"p50": 10.0, "p95": 20.0, "p99": 30.0, "max": 40.0}


def run(rate, *names):
    stretches = [{"from_s": 0.0, **FIGURES}, {"from_s": 10.0, **FIGURES}]
    samples = {name: {"seen": 1, "of": 1} for name in names}
    return {"load": {"rate": rate}, "samples": samples, "alerts_by_10s": stretches, **dict.fromkeys(names, FIGURES)}


def test_the_latency_picture_has_a_panel_for_each_destination_that_a_run_measured(tmp_path):
    document = {"machine": MACHINE, "runs": [run(2000, "alerts", "delta"), run(1000, "alerts")]}
    for name in ("first.svg", "again.svg"):
        pictures.latency(tmp_path / name, document)
    text = (tmp_path / "first.svg").read_text("utf-8")
    assert "alert in the anomaly topic" in text
    assert "reading in Delta" in text
    assert "alert in PostgreSQL" not in text
    assert "Some CPU, 2 cores" in text
    assert text == (tmp_path / "again.svg").read_text("utf-8")


def test_a_destination_without_samples_is_an_empty_panel(tmp_path):
    document = {"machine": MACHINE, "runs": [run(1000, "alerts") | {"alerts": dict.fromkeys(FIGURES)}]}
    pictures.latency(tmp_path / "picture.svg", document)
    assert "alert in the anomaly topic" in (tmp_path / "picture.svg").read_text("utf-8")


def test_lines_of_several_panels(tmp_path):
    panels = {"memory": {"stream": [(0.0, 5.0), (1.0, 6.0)], "kafka": []}, "lag": {}}
    pictures.lines(tmp_path / "picture.svg", "soak", panels, "minutes")
    text = (tmp_path / "picture.svg").read_text("utf-8")
    assert all(word in text for word in ("memory", "lag", "stream", "minutes"))
