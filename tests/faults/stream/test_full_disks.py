"""A disk is full, the stream's or a store's: `sensorlake status` says which and what to do, what does not need it goes
on, and once there is room again all goes on by itself."""

from pathlib import Path

import pg8000.exceptions
import pg8000.native
import pytest

from sensorlake.settings import Settings
from stack import credentials
from tests.faults.disks import Disk, Disks
from tests.faults.stream import accounts
from tests.faults.stream.life import Life
from tests.faults.stream.load import Load, steady

pytestmark = pytest.mark.integration

RATE = 200
BEHIND = {
    "postgres": (accounts.POSTGRES,),
    "influxdb": (accounts.INFLUXDB, accounts.POINTS),
    "minio": (accounts.DELTA, accounts.READINGS, accounts.POINTS, accounts.LETTERS),
}
"""The sinks that have to wait for a store."""
FAILING = {"postgres": {"postgres"}, "influxdb": {"influxdb", "metrics"}, "minio": {"lake", "anomalies"}}
"""The queries that write to it."""
NAMED = {"postgres": "PostgreSQL", "influxdb": "InfluxDB", "minio": "the object storage"}


def errors(life: Life) -> dict[str, str]:
    """What the status says of the queries that failed."""
    found = life.deployment.ask("status")["queries"]
    return {name: query["last_error"] for name, query in found.items() if query["last_error"]}


def require_said(life: Life, disk: Disk, data_dir: Path, holds: str) -> None:
    """Status and doctor name the place of the disk and what lies on it."""
    (full,) = (each["full"] for each in life.deployment.ask("status", data_dir=data_dir)["disks"] if each["full"])
    life.tell(f"status: {full}")
    assert full.startswith("disk full: 0 of ")
    assert str(disk.folder) in full
    assert holds in full
    assert "Make room there" in full
    found = [each for each in life.deployment.ask("doctor", data_dir=data_dir)["findings"] if each["area"] == "disk"]
    assert any(str(disk.folder) in each["what"] and holds in each["why"] for each in found)


def say_disk_full(life: Life, queries: set[str], whose: str) -> None:
    life.deployment.wait_for(
        "the status to say so",
        life.stream,
        lambda: all(
            str(life.deployment.queries()[name]["last_error"]).startswith(f"disk full: that of {whose}")
            for name in queries
        ),
    )
    for name, error in errors(life).items():
        life.tell(f"status of {name}: {error}")


def caught_up(life: Life) -> None:
    sent = {sink: accounts.expected(life.deployment, sink) for sink in accounts.SINKS}
    life.tell(f"caught up: {accounts.wait_until_there(life.deployment, sent)} s later")


def balanced(life: Life) -> None:
    accounts.settled(life.deployment)
    life.ensure_running()
    accounts.require_nothing_lost_or_doubled(life.deployment, life.tell)


@pytest.fixture
def small(disks: Disks) -> Disks:
    if disks.why_not is not None:
        pytest.skip(disks.why_not)
    return disks


def test_a_full_disk_under_the_checkpoints(life: Life, small: Disks) -> None:
    """The checkpoints, the notes in `run`, the logs and Spark's own scratch lie on it."""
    data_dir = life.deployment.settings.data_dir
    before = life.failures()
    with Load(life.deployment, steady(life.deployment), RATE) as load:
        load.last(5)
        with small["stream"].full():
            life.tell("the disk of the stream is full")
            load.last(10)
            alerts = {accounts.ALERTS: accounts.expected(life.deployment, accounts.ALERTS)}
            say_disk_full(life, {"lake", "postgres", "influxdb", "anomalies"}, "the stream's checkpoints")
            require_said(life, small["stream"], data_dir, "checkpoints")
            life.tell(f"alerts all the same: {accounts.wait_until_there(life.deployment, alerts)} s later")
            states = {name: (query["state"], query["failures"]) for name, query in life.deployment.queries().items()}
            life.tell(f"before there is room again: {states}; failures before: {before}")
        life.tell("room again")
        caught_up(life)
        load.last(5)
    balanced(life)


@pytest.mark.parametrize(
    "store", [pytest.param(each, marks=pytest.mark.long) for each in ("postgres", "influxdb", "minio")]
)
def test_a_full_disk_of_a_store(own_servers: Settings, life: Life, small: Disks, store: str) -> None:
    before = life.failures()
    restarts = life.deployment.ask("status", data_dir=own_servers.data_dir)["services"][store]["restarts"]
    with Load(life.deployment, steady(life.deployment), RATE) as load:
        load.last(5)
        with small[store].full():
            life.tell(f"the disk of {store} is full")
            load.last(10)
            others = {
                sink: accounts.expected(life.deployment, sink) for sink in accounts.SINKS if sink not in BEHIND[store]
            }
            life.tell(f"the other sinks had all of it {accounts.wait_until_there(life.deployment, others)} s later")
            say_disk_full(life, FAILING[store], NAMED[store])
            require_said(life, small[store], own_servers.data_dir, store)
            after = life.failures()
            life.tell(f"failures before and after: {before}, {after}")
            assert {name for name in after if after[name] != before[name]} <= FAILING[store]
        life.tell("room again")
        caught_up(life)
        load.last(5)
    if store == "influxdb":
        assert (
            life.deployment.ask("status", data_dir=own_servers.data_dir)["services"][store]["restarts"] == restarts + 1
        )
    balanced(life)


@pytest.mark.long
def test_a_full_disk_as_postgresql_needs_a_new_log_file(own_servers: Settings, life: Life, small: Disks) -> None:
    """Without room for its log of writes it ends at once, and then cannot start."""
    with Load(life.deployment, steady(life.deployment), RATE) as load:
        load.last(5)
        with small["postgres"].full():
            life.tell(f"the disk of postgres is full; asked for a new log file, it said: {new_log_file(own_servers)}")
            for _ in range(3):
                load.last(10)
                postgres = life.deployment.ask("status", data_dir=own_servers.data_dir)["services"]["postgres"]
                life.tell(f"status: postgres {postgres['state']}, restarts: {postgres['restarts']}")
                life.tell(f"status of the query: {life.deployment.queries()['postgres']}")
            require_said(life, small["postgres"], own_servers.data_dir, "postgres")
        life.tell("room again")
        caught_up(life)
        load.last(5)
    balanced(life)


def new_log_file(servers: Settings) -> str:
    """Have PostgreSQL begin one, as it does by itself every 16 MB; what it said."""
    password = credentials.ensure(servers).postgres_admin_password
    try:
        connection = pg8000.native.Connection(
            "postgres", port=servers.postgres_port, password=password, database=servers.postgres_database, timeout=20
        )
        try:
            for _ in range(20):  # a few files may lie ready
                connection.run("select pg_switch_wal()")
                connection.run("select pg_logical_emit_message(true, 'tests', 'begins it')")
        finally:
            connection.close()
    except (pg8000.exceptions.Error, OSError) as error:
        return str(error)
    return "it had room"


@pytest.mark.long
def test_a_full_disk_of_kafka(own_servers: Settings, life: Life, small: Disks) -> None:
    """The broker ends and is started in vain until there is room; senders keep what they have to send."""
    with Load(life.deployment, steady(life.deployment), RATE) as load:
        load.last(5)
        with small["kafka"].full():
            life.tell("the disk of kafka is full")
            for _ in range(4):
                load.last(15)
                kafka = life.deployment.ask("status", data_dir=own_servers.data_dir)["services"]["kafka"]
                life.tell(f"status: kafka {kafka['state']}, restarts: {kafka['restarts']}")
            require_said(life, small["kafka"], own_servers.data_dir, "kafka")
        life.tell("room again")
        caught_up(life)
        load.last(5)
    balanced(life)
