"""What a user of the demo sees, and how it hears that it should end."""

import signal
import time

import pytest
from rich.console import Console

from sensorlake.demo import panel, plan
from sensorlake.demo.ending import Ending, Interrupted, on_signals
from sensorlake.demo.news import News
from sensorlake.demo.view import View
from stack import selection

SERVICE = {"state": "running", "address": "x", "pid": 1, "rss_mb": 1234.5, "restarts": 0}
QUERY = {"state": "running", "batch": 1, "input_rate": 1234.5, "lag": None, "last_error": None}
VIEW = View(
    phase="running",
    elapsed=1234.5,
    seconds=1200.0,
    services=dict.fromkeys((*selection.programs(), "stream"), SERVICE),
    queries=dict.fromkeys(plan.queries([]), QUERY),
    memory_mb=3000.0,
    readings_in=12_345_678,
    rate=812.0,
    alerts=123_456,
    first_alert_s=45.0,
    latency_ms=(296.0, 2121.4, 12292.0),
    delta_readings=12_345_678,
    delta_features=123_456,
    commits=1234,
    freshness_s=8.4,
    lag=1000,
    models=("in training for 1234 s: model_evaluation", "isolation_forest version 12, PR-AUC 0.72, 13 in shadow"),
)


def _printed(view: View) -> str:
    console = Console(width=80, record=True, force_terminal=False)
    with console.capture() as captured:
        console.print(
            panel.render(view, [("MinIO (S3)", "http://127.0.0.1:9000, bucket lake")], ["influxdb is left out"])
        )
    return captured.get()


def test_the_panel_fits_80_columns_and_cuts_no_figure_off():
    text = _printed(VIEW)
    assert max(map(len, text.splitlines())) == 80
    assert "…" not in text
    for figure in (
        "12,345,678",
        "123,456",
        "p99 12,292 ms",
        "1,234",
        "first 45 s after",
        "http://127.0.0.1:9000",
        "left out",
        "dagster-daemon",
        "autoencoder",
        "isolation_forest version 12, PR-AUC 0.72",
    ):
        assert figure in text


def test_the_panel_of_a_start_shows_no_figure_that_is_not_there():
    text = _printed(View("the stream is starting", 12.0, 0.0, {"kafka": SERVICE}, {}, 100.0))
    assert "none yet" in text
    assert "p50 -" in text


def test_the_plain_line_says_the_same():
    assert "812 readings/s in" in panel.line(VIEW)
    assert (
        panel.line(View("the stream is starting", 12.0, 0.0, {}, {}, 100.0))
        == "  12.0 s  the stream is starting, 100 MB"
    )


def test_a_signal_while_starting_breaks_off_and_a_second_one_changes_nothing():
    before = signal.getsignal(signal.SIGTERM)
    with on_signals() as ending:
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert ending.asked
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_first_ctrl_c_waits_for_the_count_and_the_second_does_not():
    ending = Ending()
    ending.breaks = False
    ending.signalled(signal.SIGINT, None)
    assert ending.asked
    assert not ending.hurried
    ending.signalled(signal.SIGINT, None)
    assert ending.hurried


def test_a_program_that_ends_the_demo_is_not_kept_waiting():
    ending = Ending()
    ending.breaks = False
    ending.signalled(signal.SIGTERM, None)
    assert ending.hurried
    assert ending.wait(0)


def test_silence_is_filled_with_the_step_that_goes_on(capsys, monkeypatch):
    monkeypatch.setattr("sensorlake.demo.news._SILENCE_SECONDS", 0.0)
    with News() as news:
        news.step("kafka", "starting")
        news.step("minio", "ready")
        deadline = time.monotonic() + 10
        text = ""
        while "... kafka starting" not in text:
            assert time.monotonic() < deadline
            text += capsys.readouterr().out
    assert "minio      ready" in text
    assert "... kafka starting, minio" not in text
