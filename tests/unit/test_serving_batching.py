"""Requests that come together are computed together, and each gets its own answer or its own refusal."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from serving.batching import Batcher, Limits
from serving.refusal import RefusalError
from serving.signature import Signature, Tensor

FLOAT = 1
SIGNATURE = Signature({"x": Tensor(FLOAT, (-1,))}, {"y": Tensor(FLOAT, (-1,))})
WHOLE = Signature({"x": Tensor(FLOAT, (-1,))}, {"total": Tensor(FLOAT, ())})


class Halves:
    """y = x / 2, and the sizes of the batches that it saw; the first one waits until it is let go."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, inputs):
        self.sizes.append(len(inputs["x"]))
        assert self.go.wait(10)
        if (inputs["x"] < 0).any():
            raise ValueError("negative")
        return {"y": inputs["x"] / 2}


def ask(batcher, *values):
    return batcher.predict({"x": np.array(values, np.float32)})


def run(predict, limits, scenario, signature=SIGNATURE):
    async def main():
        with ThreadPoolExecutor(1) as executor:
            return await asyncio.wait_for(scenario(Batcher(signature, predict, executor, limits)), 20)

    return asyncio.run(main())


async def all_of(batcher, predict, requests):
    """Send the first, wait until it is computed, send the others meanwhile; what each one got."""
    predict.go.clear()
    tasks = [asyncio.create_task(ask(batcher, *requests[0]))]
    while not predict.sizes:
        await asyncio.sleep(0.001)
    tasks += [asyncio.create_task(ask(batcher, *values)) for values in requests[1:]]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    predict.go.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_a_lone_request_is_computed_at_once():
    predict = Halves()
    found = run(predict, Limits(), lambda batcher: ask(batcher, 2, 4))
    assert found["y"].tolist() == [1, 2]
    assert predict.sizes == [2]


def test_what_comes_while_the_model_computes_is_the_next_batch():
    predict = Halves()
    found = run(predict, Limits(batch=4), lambda b: all_of(b, predict, [[2], [4, 6], [8], [10, 12]]))
    assert [answer["y"].tolist() for answer in found] == [[1], [2, 3], [4], [5, 6]]
    assert predict.sizes == [1, 3, 2]


def test_a_first_request_waits_for_company_where_it_is_told_to():
    predict = Halves()

    async def scenario(batcher):
        return await asyncio.gather(*(ask(batcher, value) for value in range(4)))

    found = run(predict, Limits(batch=4, delay=10), scenario)
    assert [answer["y"].tolist() for answer in found] == [[0], [0.5], [1], [1.5]]
    assert predict.sizes == [4]


def test_a_request_larger_than_a_batch_is_computed_whole():
    predict = Halves()
    assert len(run(predict, Limits(batch=4, queue=8), lambda batcher: ask(batcher, *range(100)))["y"]) == 100
    assert predict.sizes == [100]


def test_a_full_queue_refuses_and_loses_nothing_that_waits():
    predict = Halves()
    found = run(predict, Limits(batch=2, queue=3), lambda b: all_of(b, predict, [[2], [4, 6], [8], [10]]))
    assert [answer["y"].tolist() for answer in found[:3]] == [[1], [2, 3], [4]]
    assert isinstance(found[3], RefusalError)
    assert found[3].status == 503
    assert "queue" in found[3].message


def test_what_is_wrong_with_one_request_is_no_fault_of_the_others():
    predict = Halves()
    found = run(predict, Limits(), lambda b: all_of(b, predict, [[2], [4], [-1], [6]]))
    assert [answer["y"].tolist() for answer in (found[0], found[1], found[3])] == [[1], [2], [3]]
    assert isinstance(found[2], RefusalError)
    assert (found[2].status, "negative" in found[2].message) == (400, True)


def test_instances_that_cannot_be_told_apart_are_not_put_together():
    def total(inputs):
        sizes.append(len(inputs["x"]))
        return {"total": inputs["x"].sum()}

    sizes: list[int] = []

    async def scenario(batcher):
        return await asyncio.gather(ask(batcher, 1, 2), ask(batcher, 3), ask(batcher, 4, 5))

    assert [float(found["total"]) for found in run(total, Limits(), scenario, WHOLE)] == [3, 3, 9]
    assert sizes == [2, 1, 2]


@pytest.mark.parametrize("times", [50])
def test_a_hundred_callers_each_get_their_own(times):
    predict = Halves()

    async def caller(batcher, number):
        for turn in range(times):
            assert (await ask(batcher, number, turn))["y"].tolist() == [number / 2, turn / 2]

    async def scenario(batcher):
        await asyncio.gather(*(caller(batcher, number) for number in range(100)))

    run(predict, Limits(), scenario)
    assert sum(predict.sizes) == 100 * times * 2
    assert max(predict.sizes) <= 64
