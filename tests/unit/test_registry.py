"""The registry as far as it needs no server: connecting, the chain of migrations, the seeds."""

import json
import socket
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from edge import fleet
from edge.metrics import METRICS
from lakehouse import registry
from lakehouse.registry import database, migration, seeding
from sensorlake.errors import StackError
from sensorlake.settings import Settings

EXAMPLES = Path(fleet.__file__).parent / "examples"
MODEL = {
    "temperature": "TT-20",
    "humidity": "HT-10",
    "pressure": "PT-12",
    "vibration": "VM-7",
    "current": "CM-32",
    "power": "PM-22",
}


@pytest.fixture
def silent_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize("call", [registry.migrate, registry.alert_rules])
def test_says_where_postgresql_was_sought_and_how_to_start_it(call, silent_port):
    settings = Settings(postgres_host="127.0.0.1", postgres_port=silent_port, postgres_password="do-not-tell")
    with pytest.raises(StackError, match=rf"127\.0\.0\.1:{silent_port}.*`sensorlake up`") as caught:
        call(settings)
    assert "do-not-tell" not in str(caught.value)


def test_a_host_that_does_not_exist_is_named():
    settings = Settings(postgres_host="nowhere.invalid")
    with pytest.raises(StackError, match=r"nowhere\.invalid:5432"):
        registry.migrate(settings)


def test_the_address_shows_no_password():
    address = database.url(Settings(postgres_password="do-not-tell"))
    assert address.password == "do-not-tell"
    assert "do-not-tell" not in f"{address} {address!r}"


def test_migrations_form_one_line():
    scripts = ScriptDirectory.from_config(migration.config())
    revisions = [script.revision for script in scripts.walk_revisions("base", "head")]
    assert revisions == [f"{number:04}" for number in range(len(revisions), 0, -1)]


def test_seeded_simulated_devices_are_those_of_the_simulator():
    """After a change of the fleet: write seed/devices.csv anew from it, and move known devices by a migration."""
    simulated = fleet.build(10_000, seed=0)
    seeded = [row for row in seeding.rows("devices") if str(row["device_id"]).startswith("sim-")]
    count = len(seeded)
    assert count == 500
    assert [row["device_id"] for row in seeded] == simulated.names[:count]
    assert [row["location"] for row in seeded] == simulated.locations[:count]
    measured = [METRICS[metric].name for metric in simulated.metric[:count]]
    assert [str(row["model"]).rpartition("-")[0] for row in seeded] == [MODEL[metric] for metric in measured]


def test_each_example_series_has_a_seeded_device():
    devices = {row["device_id"] for row in seeding.rows("devices")}
    assert {file.stem for file in EXAMPLES.glob("*.csv")} <= devices


@pytest.mark.parametrize("table", ["device_configs", "maintenance", "ops_events"])
def test_seeds_speak_of_seeded_devices(table):
    devices = {row["device_id"] for row in seeding.rows("devices")}
    assert {row["device_id"] for row in seeding.rows(table)} - {None} <= devices


def test_the_limits_that_rules_are_made_from_are_those_of_the_contracts():
    limits = json.loads(seeding.LIMITS.read_text("utf-8"))
    assert {limit["metric"] for limit in limits} >= {metric.name for metric in METRICS} | seeding.ABOUT_THE_DEVICE
    assert all(limit["lower"] < limit["upper"] for limit in limits)
