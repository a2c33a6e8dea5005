"""The long-running application: one Spark session, several queries, one process.

SIGTERM or Ctrl-C lets each running batch end, then stops. Nothing is lost when a batch is cut off instead: the next
start repeats it, and every sink knows what it has.
"""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from os import getpid
from pathlib import Path

import structlog
from pyspark.sql import SparkSession

from lakehouse import registry
from lakehouse.postgres import ANSWER_SECONDS
from sensorlake.errors import StreamError, UnreachableError
from sensorlake.settings import Settings
from streaming import full_disks, priorities, report, topics
from streaming.lease import Lease
from streaming.queries import QUERIES, Context
from streaming.supervision import SupervisedQuery, concise

log = structlog.get_logger(__name__)

TEND_SECONDS = 1.0
REPORT_SECONDS = 3.0
DRAIN_SECONDS = 8.0
HEAD_START_SECONDS = 15.0
# Until tasks have compiled their own code, too.
_COMPILING_SECONDS = 2.0


def run(settings: Settings, names: Sequence[str], session: Callable[[], SparkSession]) -> None:
    """Run the queries `names` until SIGTERM or SIGINT.

    Args:
        session: waits for the Spark session with the decoder, and is asked once everything else is found in order.

    Raises:
        StreamError: an unknown query, a second application on these tables, or a server that cannot be reached.
        CheckpointError: no query has a checkpoint that fits. Where some have, these run.
    """
    _require_known(names)
    lease = Lease(settings, names)
    stop = _stop_on_signal()
    try:
        lease.claim()
        made = topics.ensure(settings)
        _have_registry(settings)
        spark = session()
        log.info("spark session is open", page=spark.sparkContext.uiWebUrl)
        java = spark.sparkContext._gateway.proc
        priorities.lower(java.pid)
        with Context.opened(spark, settings, made) as context:
            explain = partial(full_disks.explained, settings)
            queries = [SupervisedQuery(name, partial(QUERIES[name], context), explain=explain) for name in names]
            try:
                tracker = spark.sparkContext.statusTracker()
                start_alerts(queries, stop, lambda: bool(tracker.getActiveStageIds()))
                report_file = settings.data_dir.absolute() / "run" / "queries.json"
                tend(queries, stop, report_file, [lease.require, partial(require_java, java)])
            finally:
                if java.poll() is None:
                    # The alerts query ends by interrupting its tasks, for which Spark would print pages.
                    spark.sparkContext.setLogLevel("OFF")
                    _drain(queries)
                    spark.stop()
    finally:
        lease.release()


def _have_registry(settings: Settings) -> None:
    """Of what runs here only the query `postgres` needs PostgreSQL, and the first alerts of a new deployment."""
    try:
        registry.migrate(settings, ANSWER_SECONDS)
        log.info("registry is up to date")
    except UnreachableError as error:
        log.error("what does not need PostgreSQL starts without it", error=str(error))


def start_alerts(
    queries: Sequence[SupervisedQuery],
    stop: threading.Event,
    is_at_work: Callable[[], bool],
    grace: float = _COMPILING_SECONDS,
) -> None:
    """Start the alerts alone, and leave them the processors until their tasks run: what all the others plan and compile
    at a start would hold up the first alert by a quarter of a minute."""
    deadline = time.monotonic() + HEAD_START_SECONDS
    for query in queries:
        if query.name == "alerts":
            query.tend()
            while query.is_active() and not is_at_work() and time.monotonic() < deadline:
                if stop.wait(0.1):
                    return
            if query.is_active():
                stop.wait(grace)


def require_java(java: subprocess.Popen[bytes]) -> None:
    """
    Raises:
        StreamError: it has ended. A query that is to start would fail and be tried again for ever.
    """
    if (status := java.poll()) is not None:
        raise StreamError(
            f"Spark's Java ended with status {status}: start the stream again, if its supervisor does not"
        )


def tend(
    queries: Sequence[SupervisedQuery],
    stop: threading.Event,
    path: Path,
    requirements: Sequence[Callable[[], None]],
) -> None:
    """Keep the queries running until `stop`, and `path` up to date for `sensorlake status`.

    Raises:
        StreamError: one of the requirements is not met, or no query has a checkpoint that fits.
    """
    reported: tuple[float, list[object]] = (0.0, [])
    while not stop.is_set():
        for require in requirements:
            require()
        for query in queries:
            query.tend()
        # Alerts do not wait for somebody to repair the checkpoint of a sink.
        refusals = [query.refusal for query in queries]
        if all(refusals) and refusals[0] is not None:
            raise refusals[0]
        states = [(query.query, query.failures) for query in queries]
        # Spark's progress is a page of JSON: read each second, for all queries, it took a twentieth of a processor.
        if states != reported[1] or time.monotonic() - reported[0] >= REPORT_SECONDS:
            _report(path, queries)
            reported = time.monotonic(), states
        stop.wait(TEND_SECONDS)


def _report(path: Path, queries: Sequence[SupervisedQuery]) -> None:
    try:
        write_report(path, queries)
    except OSError as error:  # the disk: no reason for alerts to end
        log.error("`sensorlake status` cannot be told how the queries are", file=str(path), error=str(error))


def write_report(path: Path, queries: Sequence[SupervisedQuery]) -> None:
    """What `sensorlake status` reads, replaced as a whole."""
    document = {
        "queries": {query.name: query.report() for query in queries},
        "pid": getpid(),
        "updated_at": datetime.now(UTC).isoformat(),
    }
    report.write(path, json.dumps(document))


def _drain(queries: Sequence[SupervisedQuery]) -> None:
    """Stop each query as soon as its batch has ended, and what still runs when the time is up."""
    running = [query.query for query in queries if query.query is not None and query.query.isActive]
    deadline = time.monotonic() + DRAIN_SECONDS
    while running:
        for query in list(running):
            # The alerts lane is always within a batch, whose rows are out already: nothing to wait for.
            if query.name == "alerts" or not query.status["isTriggerActive"] or time.monotonic() > deadline:
                query.stop()
                running.remove(query)
                error = None if query.name == "alerts" else query.exception()
                log.info("query stopped", query=query.name, **({"error": concise(error)} if error else {}))
        time.sleep(0.05)


def _require_known(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in QUERIES]
    if unknown or not names:
        raise StreamError(f"no query {', '.join(unknown) or 'named'}; there are: {', '.join(QUERIES)}")


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
