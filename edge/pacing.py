"""Open-loop pacing: a message is due at its own time whether or not those before it were slow.

A sender that waits for an answer before it sends the next message hides every stall of the system under load; this one
sends late, says how late, and keeps the intended time as the message's timestamp.
"""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from edge.block import Block

TICK_SECONDS = 0.005
AHEAD_SECONDS = 0.05
MOST_AT_ONCE = 2000

Timed = tuple[int, bytes, bytes, int]  # due (microseconds since 1970-01-01 UTC), key, payload, readings


class Clock(Protocol):
    """Microseconds since 1970-01-01 UTC that never go back, and a way to wait."""

    def now(self) -> int: ...

    def sleep(self, seconds: float) -> None: ...


class SteadyClock:
    """The wall clock as it was at creation, continued without its later corrections."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.perf_counter_ns()

    def now(self) -> int:
        return (time.perf_counter_ns() + self._offset) // 1000

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Source(Protocol):
    """What the simulator offers: any part of a run at a steady rate."""

    start: int
    rate: float
    total: int | None

    def block(self, first: int, count: int) -> Block: ...


def steady(source: Source, clock: Clock, stop: Callable[[], bool], tick: float = TICK_SECONDS) -> Iterator[Block]:
    """The messages of `source`, each block as soon as its last message is due, about one block a tick (seconds)."""
    sent, due, ready, next_look = 0, 0, None, source.start
    while not stop() and (source.total is None or sent < source.total):
        # Made ahead and in larger pieces than are sent: a block costs some forty calls of numpy, however small it is.
        ahead = max(1, round(source.rate * AHEAD_SECONDS), due - sent)
        ready = ready or source.block(sent, min(ahead, MOST_AT_ONCE))
        now = clock.now()
        if now < next_look:
            clock.sleep((next_look - now) / 1e6)
            continue
        due = int((now - source.start) * source.rate / 1e6) + 1
        if due > sent:
            block, ready = ready.part(0, due - sent), ready.part(due - sent, len(ready))
            sent += len(block)
            yield block
        next_look = now if due > sent else max(now + int(tick * 1e6), due_at(source, sent))


def due_at(source: Source, message: int) -> int:
    """When the message of this number is to be sent, microseconds since 1970-01-01 UTC."""
    return source.start + int(message * 1e6 / source.rate)


def timed(messages: Iterator[Timed], clock: Clock, stop: Callable[[], bool]) -> Iterator[Block]:
    """Blocks of messages, each sent when it is due; messages that are late go at once."""
    waiting: list[Timed] = []
    for message in messages:
        if waiting and (message[0] > clock.now() or len(waiting) == MOST_AT_ONCE):
            yield _block(waiting)
            waiting = []
        if not _wait_until(message[0], clock, stop):
            break
        waiting.append(message)
    if waiting:
        yield _block(waiting)


def _wait_until(due: int, clock: Clock, stop: Callable[[], bool]) -> bool:
    """False where the run was stopped before."""
    while not stop():
        left = (due - clock.now()) / 1e6
        if left <= 0:
            return True
        clock.sleep(min(left, 0.1))  # short enough for a stop to be heard soon
    return False


def _block(messages: list[Timed]) -> Block:
    due, keys, payloads, readings = zip(*messages, strict=True)
    return Block(
        list(keys),
        list(payloads),
        np.array(due, dtype=np.int64),
        np.array(readings, dtype=np.int64),
        np.zeros(len(payloads), dtype=np.bool_),
    )
