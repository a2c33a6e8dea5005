"""More than usual, and worse than usual: duplicates, wrong clocks, poison, late readings by the hundred thousand, a
burst. Every message is accounted for: valid, dead letter or duplicate."""

import pytest

from tests.faults.stream import accounts
from tests.faults.stream.life import Life
from tests.faults.stream.load import Load, clock_ahead, half_twice, late, poisoned, steady

pytestmark = [pytest.mark.integration, pytest.mark.long]


def balanced(life: Life, failures: dict[str, int]) -> None:
    deployment = life.deployment
    life.tell(f"all there {accounts.settled(deployment)} s after the last message")
    accounts.require_nothing_lost_or_doubled(deployment, life.tell)
    valid, letters, duplicates = deployment.counted()
    life.tell(f"the lake's own count: {valid} valid, {letters} dead letters, {duplicates} duplicates")
    assert (valid, letters) == (len(deployment.readings), len(deployment.bad))
    assert life.failures() == failures


def test_a_device_a_day_ahead_and_poison_hold_up_nobody(life: Life) -> None:
    failures = life.failures()
    messages = clock_ahead(poisoned(steady(life.deployment)), life.deployment)
    with Load(life.deployment, messages, 300) as load:
        load.last(20)
    life.tell(f"{load.sent} messages, every 100th no reading, every 10th from a device whose clock is a day ahead")
    balanced(life, failures)


def test_every_message_twice(life: Life) -> None:
    failures = life.failures()
    before = life.deployment.repeated
    with Load(life.deployment, half_twice(steady(life.deployment)), 400) as load:
        load.last(20)
    life.tell(f"{load.sent} messages, of which {life.deployment.repeated - before} repeat the one before")
    balanced(life, failures)


def test_a_hundredfold_burst(life: Life) -> None:
    failures = life.failures()
    with Load(life.deployment, steady(life.deployment), 50) as load:
        load.last(10)
        quiet, load.rate = load.sent, 5000
        load.last(30)
        burst, load.rate = load.sent, 50
        life.tell(f"{quiet} messages in 10 s, then {burst - quiet} in 30 s")
        load.last(10)
    balanced(life, failures)


@pytest.mark.parametrize("how_many", [1_000_000])
def test_late_readings_at_once(life: Life, how_many: int) -> None:
    failures = life.failures()
    messages = late(life.deployment, how_many)
    with Load(life.deployment, messages, 50_000) as load:
        while load.sent < how_many:
            load.last(1)
    life.tell(f"{how_many} readings of up to six days ago, as fast as the broker took them")
    balanced(life, failures)
