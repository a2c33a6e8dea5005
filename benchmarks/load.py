"""The load of a benchmark: the simulated fleet, open loop, in a process of its own.

A message is due at its own time whatever the system does, and latency counts from then. In one process with the
observers each would wait for the other's turn at Python's lock.
"""

import multiprocessing
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TypeVar

import numpy as np

from benchmarks.errors import BenchmarkError
from benchmarks.percentiles import summary
from benchmarks.violations import ViolatingRun, chosen_sensors
from edge import pacing, producer
from edge.block import Block
from edge.pacing import Clock, Source, SteadyClock
from edge.simulator import Simulator

_ORDERLY_SECONDS = 60.0
# Before the first message is due: the fleet is built, here and in the process that sends, and what will be expected is
# computed.
_START_SECONDS = 5.0
_SENSOR_SECONDS = 50e-6
_MESSAGE_SECONDS = 3e-6


def first_due(clock: Clock, sensors: int, messages: float = 0) -> int:
    """When a run of so many sensors may begin; `messages`: of how many the expected ids are computed before."""
    return clock.now() + round(1e6 * (_START_SECONDS + sensors * _SENSOR_SECONDS + messages * _MESSAGE_SECONDS))


@dataclass(frozen=True)
class Paced(ABC):
    """All that decides every message of a run: `start` and what follows count microseconds since 1970-01-01 UTC."""

    sensors: int
    rate: float
    warmup_seconds: float
    seconds: float
    seed: int
    start: int

    @property
    def first_counted(self) -> int:
        return self.start + round(self.warmup_seconds * 1e6)

    @property
    def end(self) -> int:
        return self.first_counted + round(self.seconds * 1e6)

    @abstractmethod
    def run(self) -> Source: ...


@dataclass(frozen=True)
class Plan(Paced):
    """A run in which some sensors always send values beyond their limit, and some have the simulator's own faults."""

    violating_share: float
    fault_share: float = 0.0

    def run(self) -> ViolatingRun:
        whole = self.warmup_seconds + self.seconds
        simulator = Simulator(self.sensors, self.fault_share, self.seed, self.start, rate=self.rate, seconds=whole)
        return ViolatingRun(simulator, chosen_sensors(self.sensors, self.violating_share, self.seed))


@dataclass(frozen=True)
class Sent:
    """What the load did; `lateness` (ms): how long after its intended time a counted message went to the client."""

    messages: int
    readings: int
    failed: int
    lateness: dict[str, float | None]
    cpu_share: float


@dataclass(frozen=True)
class Ready:
    """The process is connected and waits for its plan."""


@dataclass(frozen=True)
class End:
    """To the process: send nothing more."""


_Answer = TypeVar("_Answer", Ready, Sent)


class Load:
    """The process that sends. Then `send()` a plan and wait for `sent()`, `end()` it early, or `stop()` it."""

    def __init__(self, servers: str, topic: str, clock: SteadyClock) -> None:
        context = multiprocessing.get_context("spawn")
        self._answers, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_process, args=(servers, topic, clock, theirs), name="bench-load", daemon=True
        )
        self._process.start()
        theirs.close()
        self._require(Ready)

    def send(self, plan: Paced) -> None:
        self._answers.send(plan)

    def end(self) -> None:
        """Let it send nothing more; `sent()` tells what went until now."""
        self._answers.send(End())

    def is_sending(self) -> bool:
        return self._process.is_alive() and not self._answers.poll()

    def sent(self) -> Sent:
        """
        Raises:
            BenchmarkError: the process ended without an answer.
        """
        answer = self._require(Sent)
        self.stop()
        return answer

    def _require(self, kind: type[_Answer]) -> _Answer:
        try:
            answer = self._answers.recv() if self._answers.poll(_ORDERLY_SECONDS) else "no answer in time"
        except EOFError:
            answer = "it ended early"
        if isinstance(answer, kind):
            return answer
        self.stop()
        raise BenchmarkError(f"the load generator failed: {answer}")

    def stop(self) -> None:
        if self._process.is_alive():
            self._process.join(1)
            self._process.terminate()
        self._process.join(5)


def _process(servers: str, topic: str, clock: SteadyClock, answer: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    parent = os.getppid()

    def orphaned() -> bool:
        return os.getppid() != parent

    def ended() -> bool:
        return orphaned() or answer.poll()

    try:
        outlet = producer.connect(servers, topic)
        answer.send(Ready())
        plan: Paced = answer.recv()
        run = plan.run()
        late: list[int] = []
        began, used = time.monotonic(), time.process_time()
        blocks = _noting(pacing.steady(run, clock, ended), clock, plan.first_counted, late)
        done = producer.publish(blocks, outlet, clock, orphaned)
        share = (time.process_time() - used) / (time.monotonic() - began)
    except Exception as error:
        answer.send(f"{type(error).__name__}: {error}")
        raise
    answer.send(Sent(done.sent, done.readings, done.failed, summary(np.array(late) / 1000), round(share, 3)))


def _noting(blocks: Iterable[Block], clock: Clock, first: int, late: list[int]) -> Iterator[Block]:
    """The same blocks; `late` gets how late (microseconds) the first message of each counted one was taken."""
    for block in blocks:
        yield block
        if block.due[0] >= first:
            late.append(clock.now() - int(block.due[0]))
