"""Requests that come at the same time go through the model together.

While the model computes, what comes waits and is the next batch: without load nobody waits for company, and under load
batches grow by themselves. `delay` makes a first request wait a little longer on purpose.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from serving.refusal import RefusalError
from serving.signature import Signature, Tensors

Predict = Callable[[Tensors], Tensors]


@dataclass(frozen=True)
class Limits:
    """Instances in a batch and in the queue, and the seconds that a batch that is not full waits for more."""

    batch: int = 64
    queue: int = 4096
    delay: float = 0.0


@dataclass(frozen=True)
class _Waiting:
    inputs: Tensors
    size: int
    answer: asyncio.Future[Tensors]


class Batcher:
    """The queue of one signature of one version."""

    def __init__(self, signature: Signature, predict: Predict, executor: Executor, limits: Limits) -> None:
        self._signature = signature
        self._predict = predict
        self._executor = executor
        self._limits = limits
        self._queue: deque[_Waiting] = deque()
        self._queued = 0
        self._full = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    async def predict(self, inputs: Tensors) -> Tensors:
        """The outputs for these inputs alone.

        Raises:
            RefusalError: the queue is full, or the model cannot compute these inputs.
        """
        size = self._size(inputs)
        if self._queue and self._queued + size > self._limits.queue:
            raise RefusalError(503, "The batch scheduling queue to which this task was submitted is full")
        waiting = _Waiting(inputs, size, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._queued += size
        if self._queued >= self._limits.batch:
            self._full.set()
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await waiting.answer

    def _size(self, inputs: Tensors) -> int:
        """How many instances, or a batch of its own where instances cannot be told apart."""
        sizes = {array.shape[0] for array in inputs.values()} if self._signature.is_batched else set()
        return sizes.pop() if len(sizes) == 1 else self._limits.batch

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            if self._limits.delay and not self._full.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), self._limits.delay)
            batch = self._take()
            answers = await loop.run_in_executor(self._executor, self._answer, [waiting.inputs for waiting in batch])
            for waiting, answer in zip(batch, answers, strict=True):
                if waiting.answer.done():  # whoever asked has gone
                    continue
                if isinstance(answer, RefusalError):
                    waiting.answer.set_exception(answer)
                else:
                    waiting.answer.set_result(answer)

    def _take(self) -> list[_Waiting]:
        """The oldest that fit into a batch together; at least one, however large."""
        batch: list[_Waiting] = []
        size = 0
        while self._queue and (not batch or size + self._queue[0].size <= self._limits.batch):
            batch.append(self._queue.popleft())
            size += batch[-1].size
        self._queued -= size
        if self._queued < self._limits.batch:
            self._full.clear()
        return batch

    def _answer(self, parts: Sequence[Tensors]) -> Sequence[Tensors | RefusalError]:
        # One by one where together fails: what is wrong with one of them is no other's fault.
        together = self._together(parts) if len(parts) > 1 else None
        return together or [self._one(part) for part in parts]

    def _together(self, parts: Sequence[Tensors]) -> Sequence[Tensors] | None:
        sizes = [next(iter(part.values())).shape[0] for part in parts]
        try:
            found = self._predict({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
        except Exception:  # shapes that differ, or what the libraries raise, which has no common class
            return None
        if any(array.shape[:1] != (sum(sizes),) for array in found.values()):
            return None
        ends = np.cumsum(sizes).tolist()
        return [
            {name: array[end - size : end] for name, array in found.items()}
            for size, end in zip(sizes, ends, strict=True)
        ]

    def _one(self, inputs: Tensors) -> Tensors | RefusalError:
        try:
            return self._predict(inputs)
        except Exception as error:  # the libraries' errors have no common class; the request is at fault, or the model
            return RefusalError(400, f"The model cannot compute these inputs: {error}")
