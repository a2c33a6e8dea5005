"""Dagster beside the servers: up with its definitions loaded, on this machine alone, back after a kill, down without a
trace."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lakehouse import registry
from lakehouse.postgres import connect
from orchestration.instance import POOLS
from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX, Settings
from stack import credentials, http_probe, leftovers, ports, status, up
from stack.layout import Layout
from stack.services import dagster

pytestmark = pytest.mark.integration

PROGRAMS = ("dagster-code", "dagster-daemon", "dagster")
SENSORS = """{ sensorsOrError(repositorySelector: {
    repositoryLocationName: "sensorlake", repositoryName: "__repository__"}) {
  ... on Sensors { results { name sensorState { status } } } } }"""
LAUNCH = """mutation($job: String!) {
  launchRun(executionParams: {selector: {
    repositoryLocationName: "sensorlake", repositoryName: "__repository__", jobName: $job}}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""


def wait_until(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the deadline passed"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A PostgreSQL and a Dagster that run."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(variable)
        settings = settings_module.load(tmp_path_factory.mktemp("dagster") / "data")
        try:
            yield up.bring_up(settings, ["postgres", "dagster"], furnish=registry.migrate)
        finally:
            up.bring_down(settings)


def services(settings: Settings) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = status.status(settings)["services"]
    return found


def answers(settings: Settings) -> bool:
    """Does the server with the code listen?"""
    return not ports.is_free(ports.read(Layout.of(settings).ports_file)["dagster-code"])


def ask(settings: Settings, query: str, **variables: Any) -> dict[str, Any]:
    body = {"query": query, "variables": variables}
    code, answer = http_probe.request(f"http://127.0.0.1:{settings.dagster_port}/graphql", body=body)
    assert code == 200, answer
    data: dict[str, Any] = answer["data"]
    return data


def test_the_definitions_are_loaded_the_daemon_lives_and_status_says_so(own: Settings) -> None:
    assert dagster.is_loaded(own.dagster_port)
    assert dagster.daemon_is_healthy(own.dagster_port)
    assert {name: services(own)[name]["state"] for name in PROGRAMS} == dict.fromkeys(PROGRAMS, "running")
    assert services(own)["dagster"]["address"] == f"http://127.0.0.1:{own.dagster_port}"
    found = ask(own, SENSORS)
    states = {each["name"]: each["sensorState"]["status"] for each in found["sensorsOrError"]["results"]}
    assert states["stream_tables"] == states["stream_servers"] == "RUNNING"


def test_its_tables_stand_in_a_schema_of_their_own(own: Settings) -> None:
    connection = connect(own, "test")
    try:
        rows = connection.run("select table_schema from information_schema.tables where table_name = 'runs'")
        assert rows == [["dagster"]]
        assert connection.run("select to_regclass('public.alembic_version')") == [[None]]
    finally:
        connection.close()


def test_it_listens_on_this_machine_alone_and_shows_no_secret(own: Settings) -> None:
    made = credentials.ensure(own)
    secrets = [value for value in made.values() if value != made.s3_access_key]
    listening, told = set(), []
    for process in leftovers.find(own.data_dir):
        try:
            listening |= {c.laddr for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}
            text = " ".join([*process.cmdline(), *process.environ().values()])
        except psutil.NoSuchProcess:
            continue  # a run that has just ended
        told += [process.name() for secret in secrets if secret in text]
    assert own.dagster_port in {address.port for address in listening}
    assert {address.ip for address in listening} <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    layout = Layout.of(own)
    for folder in (layout.run, layout.logs, own.data_dir / "dagster"):
        assert not folder.stat().st_mode & 0o077
        for path in (path for path in folder.rglob("*") if path.is_file()):
            content = path.read_text(encoding="utf-8", errors="replace")
            told += [path.name for secret in secrets if secret in content]
    assert told == []


def tables_with_a_secret(settings: Settings) -> list[str]:
    """Tables of Dagster's storage, run configurations and events among them, with a generated secret in a row."""
    made = credentials.ensure(settings)
    secrets = [value for value in made.values() if value != made.s3_access_key]
    connection = connect(settings, "test")
    try:
        names = [
            row[0]
            for row in connection.run("select table_name from information_schema.tables where table_schema = 'dagster'")
        ]
        assert {"runs", "event_logs", "snapshots", "run_tags"} <= set(names)
        assert connection.run("select count(*) from dagster.event_logs")[0][0] > 0
        holds = 'select 1 from dagster."{}" as found where position(:secret in found::text) > 0 limit 1'
        return [name for name in names for secret in secrets if connection.run(holds.format(name), secret=secret)]
    finally:
        connection.close()


def test_each_pool_takes_one_run_from_the_first_on(own: Settings) -> None:
    connection = connect(own, "test")
    try:
        limits = dict(connection.run('select concurrency_key, "limit" from dagster.concurrency_limits'))
    finally:
        connection.close()
    assert limits == dict.fromkeys(POOLS, 1)


def test_all_of_it_yields_to_the_alerts(own: Settings) -> None:
    for name in PROGRAMS:
        assert psutil.Process(services(own)[name]["pid"]).nice() == 10


@pytest.mark.parametrize("name", ["dagster-daemon", "dagster-code"])
def test_what_is_killed_comes_back(own: Settings, name: str) -> None:
    before = services(own)[name]
    os.kill(before["pid"], signal.SIGKILL)
    wait_until(lambda: services(own)[name]["pid"] not in (None, before["pid"]))
    wait_until(lambda: services(own)[name]["state"] == "running")
    assert services(own)[name]["restarts"] == before["restarts"] + 1
    wait_until(lambda: answers(own) and dagster.is_loaded(own.dagster_port))
    assert dagster.daemon_is_healthy(own.dagster_port)


def test_a_run_waits_for_the_server_with_the_code_is_a_process_of_its_own_and_down_leaves_none(own: Settings) -> None:
    daemon, code = (services(own)[name]["pid"] for name in ("dagster-daemon", "dagster-code"))
    os.kill(daemon, signal.SIGSTOP)  # it would take the run from the queue before the server is gone
    launched = ask(own, LAUNCH, job="stream_quality")["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    os.kill(code, signal.SIGKILL)
    os.kill(daemon, signal.SIGCONT)
    run = launched["run"]["runId"]
    question = "query($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"

    def state() -> str:
        return str(ask(own, question, run=run)["runOrError"]["status"])

    wait_until(lambda: state() != "QUEUED" and answers(own))
    wait_until(lambda: state() not in ("QUEUED", "STARTING"))
    assert state() == "STARTED"
    assert tables_with_a_secret(own) == []
    children = psutil.Process(services(own)["dagster-code"]["pid"]).children(recursive=True)
    assert children
    up.bring_down(own)
    assert leftovers.find(own.data_dir) == []
    assert not [each for each in children if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    again = up.bring_up(own, ["postgres", "dagster"])
    assert again.dagster_port == own.dagster_port
    # It was noted as ended before its database was, or is found by the daemon that watches over runs.
    wait_until(lambda: state() in ("FAILURE", "CANCELED", "SUCCESS"))
    assert Path(own.data_dir / "dagster" / "dagster.yaml").read_bytes() == dagster.CONFIG.read_bytes()
