"""A store is slow, answers 503, or takes a batch and loses its reply: nothing is doubled, and nobody else waits."""

import pytest

from tests.faults.forwarder import Forwarder
from tests.faults.stream import accounts
from tests.faults.stream.life import Life
from tests.faults.stream.load import Load, steady

pytestmark = [pytest.mark.integration, pytest.mark.long]

RATE = 200
WRITE = b"POST /api/v2/write"
COMMIT = b"COMMIT\x00"
BEHIND = {
    "influxdb": (accounts.INFLUXDB, accounts.POINTS),
    "postgres": (accounts.POSTGRES,),
    "minio": (accounts.DELTA, accounts.READINGS, accounts.POINTS),
}
"""The sinks that have to wait for a store."""


def way_to(life: Life, store: str) -> Forwarder:
    return getattr(life, store)


def others_go_on(life: Life, load: Load, store: str) -> None:
    load.last(15)
    others = {sink: accounts.expected(life.deployment, sink) for sink in accounts.SINKS if sink not in BEHIND[store]}
    life.tell(f"the other sinks had all of it {accounts.wait_until_there(life.deployment, others)} s later")
    load.last(15)


def balanced(life: Life) -> None:
    life.tell(f"all there {accounts.settled(life.deployment)} s after the last message")
    accounts.require_nothing_lost_or_doubled(life.deployment, life.tell)


@pytest.mark.parametrize(("store", "request_"), [("influxdb", WRITE), ("postgres", COMMIT), ("minio", b"PUT /")])
def test_a_store_that_takes_five_seconds_a_write_holds_up_nobody_else(life: Life, store: str, request_: bytes) -> None:
    with Load(life.deployment, steady(life.deployment), RATE) as load:
        way_to(life, store).slow = (request_, 5.0)
        life.tell(f"each write to {store} takes 5 s")
        try:
            others_go_on(life, load, store)
        finally:
            way_to(life, store).slow = None
    balanced(life)


def test_an_influxdb_that_answers_503_is_tried_again(life: Life) -> None:
    before = life.failures()
    with Load(life.deployment, steady(life.deployment), RATE) as load:
        life.influxdb.unavailable = WRITE
        try:
            others_go_on(life, load, "influxdb")
        finally:
            life.influxdb.unavailable = None
        found = life.deployment.queries()
        life.tell(f"{life.influxdb.refused} requests were answered with 503; {found['influxdb']}")
        assert life.influxdb.refused > 0
        after = life.failures()
        assert {name for name in after if after[name] != before[name]} <= {"influxdb", "metrics"}
    balanced(life)


@pytest.mark.parametrize(
    ("store", "request_"),
    [
        ("influxdb", "POST /api/v2/write"),
        ("postgres", "COMMIT\x00"),
        ("minio", "PUT /{bucket}/anomalies/_delta_log/"),
        ("minio", "PUT /{bucket}/readings/_delta_log/"),
    ],
)
def test_a_reply_that_is_lost_after_the_success_doubles_nothing(life: Life, store: str, request_: str) -> None:
    way = way_to(life, store)
    way.lost.clear()
    with Load(life.deployment, steady(life.deployment), RATE) as load:
        load.last(3)
        for _ in range(3):
            way.lost.clear()
            way.lose = request_.format(bucket=life.deployment.name).encode()
            life.deployment.wait_for("a reply to be lost", life.stream, way.lost.is_set)
            load.last(4)
    life.tell(f"three replies to {request_.strip(chr(0))!r} were lost; failures so far: {life.failures()}")
    balanced(life)
