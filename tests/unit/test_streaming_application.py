"""What the application refuses before it costs anything, and what it tells `sensorlake status`."""

import json
import subprocess
import threading
from functools import partial
from types import SimpleNamespace

import pytest

from lakehouse import registry
from sensorlake import settings as settings_module
from sensorlake.errors import CheckpointError, StreamError, UnreachableError
from streaming import application, checkpoint_lock
from streaming.supervision import SupervisedQuery


def refused():
    raise CheckpointError("damaged")


def no_session():
    raise AssertionError("Spark was started for nothing")


@pytest.fixture
def settings(tmp_path):
    return settings_module.load(tmp_path)


@pytest.mark.parametrize(("names", "named"), [(["lake", "lakes", "alarm"], "lakes, alarm"), ([], "named")])
def test_a_query_that_is_not_there_is_named_beside_those_that_are(settings, names, named):
    with pytest.raises(StreamError, match=f"no query {named}; there are: alerts, detect, lake, postgres") as refused:
        application.run(settings, names, no_session)
    assert "anomalies" in str(refused.value)


def test_two_streams_on_the_same_checkpoints_would_write_each_table_twice(settings):
    with (
        checkpoint_lock.held(settings.checkpoint_dir),
        pytest.raises(StreamError, match="another `sensorlake stream`"),
        checkpoint_lock.held(settings.checkpoint_dir),
    ):
        pass
    with checkpoint_lock.held(settings.checkpoint_dir):
        pass


def test_a_postgresql_that_is_away_is_told_from_one_that_refuses(settings):
    """The stream starts without the one; the other is for somebody to mend."""
    with pytest.raises(UnreachableError, match="PostgreSQL does not answer"):
        registry.migrate(settings.model_copy(update={"postgres_port": 1}))


def test_the_report_is_whole_at_any_moment_and_names_each_query(tmp_path):
    path = tmp_path / "run" / "queries.json"
    queries = [SupervisedQuery(name, lambda: None) for name in ("alerts", "lake")]
    for _ in range(3):
        application.write_report(path, queries)
    document = json.loads(path.read_text("utf-8"))
    assert document["queries"].keys() == {"alerts", "lake"}
    assert document["queries"]["lake"].keys() >= {"state", "batch", "input_rate", "lag", "last_error"}
    # The one beside it holds the room that the next needs.
    assert sorted(file.name for file in path.parent.iterdir()) == ["queries.json", "queries.new"]


def test_a_report_that_cannot_be_written_ends_nothing(tmp_path):
    (tmp_path / "run").write_text("a file where its folder would be", "utf-8")
    stop = threading.Event()

    def run():
        stop.set()
        return SimpleNamespace(isActive=True, lastProgress=None)

    assert tend(stop, ("alerts", run), tmp_path=tmp_path / "run") == {"alerts": "running"}


def tend(stop, *queries, require=lambda: None, tmp_path):
    found = [SupervisedQuery(name, begin) for name, begin in queries]
    application.tend(found, stop, tmp_path / "queries.json", [require])
    return {query.name: query.report()["state"] for query in found}


def test_the_others_wait_until_the_alerts_are_at_work():
    begun, at_work = [], iter([False, False, True])
    queries = [
        SupervisedQuery(name, lambda name=name: begun.append(name) or SimpleNamespace(isActive=True))
        for name in ("lake", "alerts")
    ]
    application.start_alerts(queries, threading.Event(), lambda: next(at_work), grace=0.0)
    assert begun == ["alerts"]
    assert list(at_work) == []


@pytest.mark.parametrize("begin", [refused, lambda: SimpleNamespace(isActive=False)])
def test_alerts_that_cannot_start_or_end_at_once_hold_up_nobody(begin):
    asked = []
    application.start_alerts([SupervisedQuery("alerts", begin)], threading.Event(), lambda: asked.append(1))
    assert asked == []


def test_a_stream_that_is_stopped_waits_for_no_alerts():
    stop = threading.Event()
    stop.set()
    running = SupervisedQuery("alerts", lambda: SimpleNamespace(isActive=True))
    application.start_alerts([running], stop, lambda: False, grace=3600.0)
    assert running.is_active()


def test_alerts_do_not_wait_for_a_checkpoint_to_be_repaired(tmp_path):
    stop = threading.Event()

    def run():
        stop.set()
        return SimpleNamespace(isActive=True, lastProgress=None)

    states = tend(stop, ("lake", refused), ("alerts", run), tmp_path=tmp_path)
    assert states == {"lake": "refused", "alerts": "running"}


def test_a_stream_of_which_every_query_is_refused_ends(tmp_path):
    with pytest.raises(CheckpointError, match="damaged"):
        tend(threading.Event(), ("lake", refused), ("anomalies", refused), tmp_path=tmp_path)


def test_a_stream_whose_lake_another_has_taken_ends(tmp_path):
    def taken():
        raise StreamError("another one writes")

    with pytest.raises(StreamError, match="another one writes"):
        tend(threading.Event(), ("lake", refused), require=taken, tmp_path=tmp_path)


def test_a_java_that_ended_while_no_query_had_started_ends_the_stream(tmp_path):
    """Each start would fail, and be tried again for ever beside a supervisor that sees a living process."""

    def unreachable():
        raise ConnectionRefusedError

    with subprocess.Popen(["sh", "-c", "read _"], stdin=subprocess.PIPE) as java:
        queries = [SupervisedQuery("alerts", unreachable)]
        requirements = [partial(application.require_java, java)]
        ender = threading.Timer(0.2, java.kill)
        ender.start()
        with pytest.raises(StreamError, match="Java ended with status -9"):
            application.tend(queries, threading.Event(), tmp_path / "queries.json", requirements)
        ender.join()
    assert queries[0].failures > 0
