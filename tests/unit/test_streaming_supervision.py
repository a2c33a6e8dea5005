"""Supervision: a query that fails comes back alone, ever more slowly, and says why; the others never notice."""

import json
from dataclasses import dataclass, field

import pytest

from sensorlake.errors import CheckpointError
from streaming.supervision import SupervisedQuery, concise, lag


class Clock:
    """A clock that stands until it is moved. It does not start at 0, as a machine's clock does not."""

    def __init__(self):
        self.now = 100_000.0

    def __call__(self):
        return self.now


@dataclass
class FakeQuery:
    """What a StreamingQuery answers about itself."""

    isActive: bool = True  # noqa: N815 - Spark's name
    lastProgress: dict | None = None  # noqa: N815
    error: Exception | None = None

    def exception(self):
        return self.error

    def fail(self, message="connection refused"):
        self.isActive, self.error = False, RuntimeError(message)


@dataclass
class Source:
    """Starts fake queries; `refuses` makes the start itself fail."""

    started: list = field(default_factory=list)
    tries: int = 0
    refuses: Exception | None = None

    def __call__(self):
        self.tries += 1
        if self.refuses:
            raise self.refuses
        self.started.append(FakeQuery())
        return self.started[-1]


def supervised(name="lake"):
    clock, source = Clock(), Source()
    return SupervisedQuery(name, source, clock), clock, source


def seconds_until_next_try(query, clock, source):
    before, began = source.tries, clock.now
    while source.tries == before:
        clock.now += 0.5
        query.tend()
        assert clock.now - began < 1000, "it never tries again"
    return clock.now - began


def test_a_query_starts_at_once_and_is_left_alone_while_it_runs():
    query, clock, source = supervised()
    for _ in range(5):
        query.tend()
        clock.now += 1000
    assert source.tries == 1
    assert query.report()["state"] == "running"


def test_the_pause_doubles_up_to_a_quarter_of_a_minute():
    query, clock, source = supervised()
    query.tend()
    pauses = []
    for _ in range(9):
        source.started[-1].fail()
        query.tend()
        pauses.append(seconds_until_next_try(query, clock, source))
    assert pauses == [1, 2, 4, 8, 15, 15, 15, 15, 15]


def test_a_query_that_cannot_even_start_pauses_as_long():
    # Its server may be away for hours: a try a second, each with a trace in the log, helps nobody.
    query, clock, source = supervised()
    source.refuses = OSError("no route to host")
    query.tend()
    assert [seconds_until_next_try(query, clock, source) for _ in range(8)] == [1, 2, 4, 8, 15, 15, 15, 15]
    assert query.report()["last_error"] == "no route to host"
    assert query.report()["failures"] == 9


def test_an_outage_of_hours_ends_nothing():
    query, clock, source = supervised()
    source.refuses = OSError("no route to host")
    for _ in range(2000):
        query.tend()
        clock.now += 15
    assert query.failures == 2000
    source.refuses = None
    query.tend()
    assert query.report()["state"] == "running"


def test_a_query_that_ran_well_and_then_cannot_start_pauses_longer_each_time():
    query, clock, source = supervised()
    query.tend()
    clock.now += 10_000
    source.started[-1].fail()
    source.refuses = OSError("no route to host")
    query.tend()
    assert [seconds_until_next_try(query, clock, source) for _ in range(8)] == [1, 2, 4, 8, 15, 15, 15, 15]


def test_after_it_ran_well_the_pause_begins_anew():
    query, clock, source = supervised()
    query.tend()
    for _ in range(5):
        source.started[-1].fail()
        query.tend()
        seconds_until_next_try(query, clock, source)
    clock.now += 121
    source.started[-1].fail()
    query.tend()
    assert seconds_until_next_try(query, clock, source) == 1
    assert query.failures == 1


def test_only_the_query_that_failed_starts_again():
    (lake, clock, lake_source), (sink, _, sink_source) = supervised("lake"), supervised("influxdb")
    for one in (lake, sink):
        one.tend()
    sink_source.started[-1].fail("401 Unauthorized")
    for _ in range(10):
        clock.now += 6
        sink.clock.now += 6
        lake.tend()
        sink.tend()
    assert (lake_source.tries, sink_source.tries) == (1, 2)
    assert lake.report()["last_error"] is None
    assert sink.report()["last_error"] == "401 Unauthorized"


def test_an_error_is_shown_until_the_query_has_long_been_well():
    query, clock, source = supervised()
    query.tend()
    source.started[-1].fail("disk full")
    query.tend()
    seconds_until_next_try(query, clock, source)
    for seconds, shown in ((100, "disk full"), (21, None)):
        clock.now += seconds
        query.tend()
        assert query.report()["last_error"] == shown
    source.started[-1].fail("disk full again")
    query.tend()
    assert (query.report()["last_error"], query.failures) == ("disk full again", 1)


def test_a_query_says_what_went_wrong_as_it_was_told_to():
    query, _, source = supervised()
    query.explain = lambda error: f"in words: {error}"
    query.tend()
    source.started[-1].fail("ENOSPC")
    query.tend()
    assert query.report()["last_error"] == "in words: ENOSPC"


def test_a_failed_query_is_shown_as_such_until_it_runs_again():
    query, clock, source = supervised()
    query.tend()
    source.started[-1].fail()
    query.tend()
    assert query.report()["state"] == "restarting"
    seconds_until_next_try(query, clock, source)
    assert query.report()["state"] == "running"
    assert query.report()["failures"] == 1


def test_a_checkpoint_that_does_not_fit_is_refused_until_somebody_has_repaired_it():
    query, clock, source = supervised()
    source.refuses = CheckpointError("made for something else:\n  go back")
    query.tend()
    assert query.refusal is source.refuses
    assert query.report()["state"] == "refused"
    assert query.report()["last_error"] == "made for something else:\n  go back"
    source.refuses = None
    seconds_until_next_try(query, clock, source)
    assert query.refusal is None
    assert query.report()["state"] == "running"


def test_the_report_of_a_running_query():
    query, _, source = supervised()
    query.tend()
    assert query.report() == {
        "state": "running",
        "batch": None,
        "input_rate": None,
        "lag": None,
        "kept": None,
        "failures": 0,
        "last_error": None,
    }
    source.started[-1].lastProgress = {"batchId": 7, "inputRowsPerSecond": 99.96, "sources": []}
    found = query.report()
    assert (found["batch"], found["input_rate"], found["lag"], found["kept"]) == (7, 100.0, 0, None)
    state = [{"numRowsTotal": 5, "memoryUsedBytes": 700}, {"numRowsTotal": 2, "memoryUsedBytes": 300}]
    source.started[-1].lastProgress |= {"stateOperators": state}
    assert query.report()["kept"] == {"rows": 7, "bytes": 1000}


def source(end, latest, **metrics):
    """A source as Spark's progress shows it: offsets are JSON text."""
    return {"endOffset": json.dumps(end), "latestOffset": json.dumps(latest), "metrics": metrics}


KAFKA = source({"raw": {"0": 10, "1": 20}}, {"raw": {"0": 15, "1": 20}})


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([KAFKA], 5),
        ([KAFKA, KAFKA], 10),
        ([source(None, {"raw": {"0": 15}})], None),  # nothing was read yet: unknown, not 0
        ([source({}, {"raw": {"0": 15}})], 15),
        ([source({"raw": {"0": 20}}, {"raw": {"0": 15}})], 0),  # read on since it was asked
        ([source({"sourceVersion": 1}, None, numFilesOutstanding="3")], 3),
        ([source(4, None)], None),
        ([{"endOffset": "", "latestOffset": "?", "metrics": None}], None),
    ],
)
def test_lag(sources, expected):
    assert lag({"sources": sources}) == expected


WRAPPED = """
[STREAM_FAILED] Query [id = 1, runId = 2] terminated with exception: [FOREACH_BATCH_USER_FUNCTION_ERROR] An error \
occurred in the user provided function in foreach batch sink. Reason: An exception was raised by the Python Proxy.

Traceback (most recent call last):
  File "influxdb.py", line 42, in write
    raise error
influxdb_client.rest.ApiException: (401)
Reason: Unauthorized
"""


def test_the_reason_is_found_at_the_bottom_of_a_trace():
    assert concise(RuntimeError(WRAPPED)) == "influxdb_client.rest.ApiException: (401)"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, "stopped from outside"),
        (ValueError(), "ValueError"),
        (ValueError("\n\n  first\nsecond"), "first"),
        (
            OSError("Kernel error -> Generic S3 error\n    \x1b[31m↳\x1b[0m Error performing GET\n   ↳ refused\n"),
            "Kernel error -> Generic S3 error: Error performing GET: refused",
        ),
        (ValueError("Caused by: java.net.ConnectException: refused\n\tat a.b.C(D.java:1)"), "Caused by: java.net"),
    ],
)
def test_a_reason_is_one_line_of_any_error(error, expected):
    said = concise(error)
    assert said.startswith(expected)
    assert "\n" not in said


def test_a_reason_is_never_a_page():
    assert len(concise(RuntimeError("x" * 100_000))) <= 500
