"""Open-loop pacing on a clock that the test moves."""

from collections.abc import Iterator

import pytest

from edge.pacing import MOST_AT_ONCE, SteadyClock, Timed, steady, timed
from edge.simulator import Simulator

START = 1_795_000_000_000_000


class HandClock:
    def __init__(self, now: int) -> None:
        self.time = now
        self.slept = 0.0

    def now(self) -> int:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.time += round(seconds * 1e6) + 1


def never() -> bool:
    return False


def test_no_message_is_sent_before_it_is_due() -> None:
    clock = HandClock(START - 1_000_000)
    sent = 0
    for block in steady(Simulator(100, 0, 0, START, rate=10_000, seconds=1), clock, never):
        assert block.due[-1] <= clock.now()
        assert clock.now() - block.due[0] < 6000
        sent += len(block.payloads)
    assert sent == 10_000


def test_after_a_stall_the_backlog_goes_out_at_once_with_its_own_times() -> None:
    clock = HandClock(START)
    blocks = steady(Simulator(100, 0, 0, START, rate=10_000, seconds=2), clock, never)
    next(blocks)
    clock.time += 1_000_000
    slept = clock.slept
    caught_up = [next(blocks) for _ in range(6)]
    assert clock.slept - slept <= 0.006
    assert sum(len(block.payloads) for block in caught_up) >= 10_000
    assert max(len(block.payloads) for block in caught_up) == MOST_AT_ONCE
    assert caught_up[0].due[0] < START + 10_000


def test_a_stop_ends_the_run() -> None:
    clock = HandClock(START)
    blocks = steady(Simulator(10, 0, 0, START), clock, lambda: clock.now() > START + 3_000_000)
    assert 30 <= sum(len(block.payloads) for block in blocks) <= 31


def at(*offsets_ms: int) -> Iterator[Timed]:
    return iter([(START + ms * 1000, b"k", str(ms).encode(), 2) for ms in offsets_ms])


def test_timed_messages_wait_for_their_time_and_late_ones_do_not() -> None:
    clock = HandClock(START + 500_000)
    payloads = [(block.payloads, block.readings) for block in timed(at(0, 100, 490, 900, 2000), clock, never)]
    assert payloads == [([b"0", b"100", b"490"], 6), ([b"900"], 2), ([b"2000"], 2)]
    assert clock.now() == pytest.approx(START + 2_000_000, abs=100)


def test_timed_stops_while_it_waits() -> None:
    clock = HandClock(START)
    blocks = timed(at(0, 3_600_000), clock, lambda: clock.now() > START + 1_000_000)
    assert [block.payloads for block in blocks] == [[b"0"]]
    assert clock.slept < 2


def test_the_real_clock_never_goes_back() -> None:
    clock = SteadyClock()
    first = clock.now()
    clock.sleep(0)
    assert clock.now() >= first > START - 10**15
