"""A server is killed under load and stays away for a while: what does not need it goes on, and what does catches up by
itself once it is back."""

import time

import pytest

from sensorlake.settings import Settings
from tests.faults.stream import accounts
from tests.faults.stream.life import Life, down
from tests.faults.stream.load import Load, steady

pytestmark = pytest.mark.integration

RATE = 300
GO_ON = {
    "kafka": (),
    "minio": (accounts.ALERTS, accounts.POSTGRES, accounts.INFLUXDB),
    "postgres": (accounts.ALERTS, accounts.DELTA, accounts.INFLUXDB, accounts.READINGS, accounts.POINTS),
    "influxdb": (accounts.ALERTS, accounts.DELTA, accounts.POSTGRES, accounts.READINGS),
}
"""The sinks that need nothing of a server."""
LONG = [pytest.param(server, 60, marks=pytest.mark.long) for server in GO_ON]


@pytest.mark.parametrize(("server", "seconds"), [("postgres", 20), *LONG])
def test_the_others_go_on_and_it_catches_up_by_itself(
    own_servers: Settings, life: Life, server: str, seconds: float
) -> None:
    deployment = life.deployment
    with Load(deployment, steady(deployment), RATE) as load:
        load.last(5)
        began = time.monotonic()
        with down(own_servers, server):
            life.tell(f"kill -9 of {server}")
            load.last(min(10, seconds / 2))
            if others := {sink: accounts.expected(deployment, sink) for sink in GO_ON[server]}:
                after = accounts.wait_until_there(deployment, others)
                life.tell(f"without {server} all sent in its first seconds is there: {after} s later")
            load.last(max(0, began + seconds - time.monotonic()))
            states = {name: (query["state"], query["failures"]) for name, query in deployment.queries().items()}
            life.tell(f"before its return: {states}")
        life.tell(f"{server} may start again after {time.monotonic() - began:.0f} s")
        sent_meanwhile = {sink: accounts.expected(deployment, sink) for sink in accounts.SINKS}
        life.tell(f"caught up: {accounts.wait_until_there(deployment, sent_meanwhile)} s later")
        load.last(5)
    accounts.settled(deployment)
    life.ensure_running()
    accounts.require_nothing_lost_or_doubled(deployment, life.tell)


def test_a_stream_that_is_started_without_postgresql_raises_alerts_all_the_same(
    own_servers: Settings, life: Life
) -> None:
    deployment = life.deployment
    with Load(deployment, steady(deployment), RATE) as load:
        load.last(5)
        with down(own_servers, "postgres"):
            life.tell("kill -9 of postgres")
            life.kill()
            load.last(2)
            life.spawn()
            began = time.monotonic()
            others = {sink: accounts.expected(deployment, sink) for sink in GO_ON["postgres"]}
            after = accounts.wait_until_there(deployment, others)
            life.tell(f"all sent before the start is there, by sink: {after} s after it")
            found = deployment.queries()
            life.tell(f"{time.monotonic() - began:.0f} s after the start: {found['postgres']}")
            assert found["postgres"]["state"] == "restarting"
            assert {query["state"] for name, query in found.items() if name != "postgres"} == {"running"}
        sent_meanwhile = {sink: accounts.expected(deployment, sink) for sink in accounts.SINKS}
        life.tell(f"caught up: {accounts.wait_until_there(deployment, sent_meanwhile)} s after it may start again")
    accounts.settled(deployment)
    life.ensure_running()
    accounts.require_nothing_lost_or_doubled(deployment, life.tell)
