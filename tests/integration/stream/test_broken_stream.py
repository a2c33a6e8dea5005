"""The real stream on real servers, as its life would go: a second one beside it, a death without warning, a run without
InfluxDB, an orderly end. It loses nothing and doubles nothing.

The tests follow one another, on the stream that test_bad_input.py has left running, else on a new one.
"""

import signal
import time

import pytest

from tests.integration.stream.deployment import assert_nothing_lost_or_doubled

pytestmark = pytest.mark.integration


def test_a_second_stream_on_the_same_checkpoints_is_refused_at_once(deployment, life):
    began = time.monotonic()
    done = deployment.run()
    assert done.returncode == 1
    assert "another `sensorlake stream` runs on the checkpoints" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 120  # of which the imports take the most on a busy machine
    assert life.stream.poll() is None


def test_killed_in_the_middle_and_started_without_influxdb_the_others_go_on(deployment, life):
    deployment.send(deployment.good(30, alert=True))
    life.stream.kill()
    life.stream.wait(30)
    (deployment.settings.data_dir / "run" / "queries.json").unlink()
    deployment.send([*deployment.good(10, alert=True), *deployment.good(30), (b"bad", b"after the fall", "malformed")])
    life.stream = deployment.start(influxdb_url="http://127.0.0.1:9")

    def others_have_all():
        return (
            len(deployment.in_lake("readings", "reading_id")) >= len(deployment.readings)
            and len(deployment.in_lake("anomalies", "anomaly_id")) >= len(deployment.anomalies)
            and len(deployment.in_postgres()) >= len(deployment.anomalies)
        )

    deployment.wait_for("the other sinks", life.stream, others_have_all)
    deployment.wait_for(
        "the failures to show",
        life.stream,
        lambda: all(deployment.queries().get(name, {}).get("last_error") for name in ("influxdb", "metrics")),
    )
    found = deployment.queries()
    assert all(found[name]["failures"] == 0 for name in ("alerts", "lake", "postgres", "anomalies")), found
    assert len(deployment.in_influx("sensor_anomalies", "anomaly_id")) < len(deployment.anomalies)
    life.stream.kill()
    life.stream.wait(30)


def test_started_again_it_makes_up_for_everything_and_doubles_nothing(deployment, life):
    deployment.send(deployment.good(5, alert=True))
    life.stream = deployment.start()
    deployment.wait_for("everything to arrive", life.stream, deployment.everything_arrived)
    assert_nothing_lost_or_doubled(deployment)


def test_sigterm_ends_it_in_order_within_twenty_seconds(deployment, life):
    began = time.monotonic()
    life.stream.send_signal(signal.SIGTERM)
    assert life.stream.wait(60) == 0
    assert time.monotonic() - began < 20


def test_a_checkpoint_made_for_another_topic_is_refused(deployment, life):
    done = deployment.run("--queries", "lake", topic_prefix=f"{deployment.name}-other.")
    assert done.returncode == 1, done.stderr
    assert f"made for {deployment.topics.raw}, now {deployment.name}-other.iot.sensor.raw" in done.stderr
    assert "Traceback" not in done.stderr
