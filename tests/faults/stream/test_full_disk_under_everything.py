"""One disk for all, as an installation has it that nobody divided: servers, stream, logs and the supervisor's own notes
stop together, the status still says why, and all goes on by itself."""

import os
import time
from collections.abc import Iterator

import pytest

from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX
from stack import leftovers, selection, supervisor
from stack.layout import Layout
from stack.up import bring_down, bring_up
from tests.faults.disks import Disk
from tests.faults.stream import accounts
from tests.faults.stream.accounts import told
from tests.faults.stream.life import QUERIES
from tests.faults.stream.load import Load, steady
from tests.integration.stream.deployment import FASTER, Deployment

pytestmark = [pytest.mark.integration, pytest.mark.long]

RATE = 200
FULL_SECONDS = 90.0


@pytest.fixture
def deployment(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Servers and a stream under their supervisor, as `sensorlake up` and the demo start them."""
    for variable in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(variable)
    settings = settings_module.load(disk.folder)
    try:
        made = Deployment(bring_up(settings, list(selection.SERVERS)), disk.folder)
        own = {"topic_prefix": made.topics.prefix, "lake_bucket": made.name, "influxdb_bucket": made.name}
        for name, value in (own | FASTER | {"queries": ",".join(QUERIES)}).items():
            monkeypatch.setenv(PREFIX + name.upper(), str(value))
        bring_up(settings, list(selection.SERVERS))  # the stream's own section, with these settings
        supervisor.start_program(settings, "stream")
        yield made
    finally:
        bring_down(settings)
        assert leftovers.find(settings.data_dir) == []


def running(deployment: Deployment) -> bool:
    found = deployment.queries()
    return found.keys() >= set(QUERIES) and all(found[name]["state"] == "running" for name in QUERIES)


def test_everything_stops_says_why_and_goes_on(deployment: Deployment, disk: Disk) -> None:
    deployment.wait_for("all queries", None, lambda: running(deployment))
    guardian = supervisor.call(Layout.of(deployment.settings), "getPID")
    with Load(deployment, steady(deployment), RATE) as load:
        load.last(10)
        began = time.monotonic()
        with disk.full():
            while time.monotonic() - began < FULL_SECONDS:
                load.last(15)
                found = deployment.ask("status")
                services = {name: each["state"] for name, each in found["services"].items() if each["address"]}
                told(f"{time.monotonic() - began:.0f} s: {found['disks'][0]['full']}; {services}")
                for name, query in found["queries"].items():
                    told(f"    {name}: {query['state']}, {query['last_error']}")
                assert found["disks"][0]["full"].startswith(f"disk full: 0 of {found['disks'][0]['total_mb']} MB free")
                assert str(disk.folder) in found["disks"][0]["full"]
            (of_disk,) = (each for each in deployment.ask("doctor")["findings"] if each["area"] == "disk")
            told(f"doctor: {of_disk}")
            assert f"the disk at {disk.folder} is full" in of_disk["what"]
        sent = {sink: accounts.expected(deployment, sink) for sink in accounts.SINKS}
        told(f"room again; caught up {accounts.wait_until_there(deployment, sent)} s later")
        load.last(5)
    told(f"all there {accounts.settled(deployment)} s after the last message")
    deployment.wait_for("all queries", None, lambda: running(deployment))
    assert supervisor.call(Layout.of(deployment.settings), "getPID") == guardian
    states = {name: each["state"] for name, each in deployment.ask("status")["services"].items() if each["pid"]}
    assert set(states.values()) == {"running"}
    accounts.require_nothing_lost_or_doubled(deployment, told)
