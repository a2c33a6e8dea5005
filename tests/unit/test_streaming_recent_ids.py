"""The memory of reading ids: what it calls repeated never reaches the lake, what it misses is stored twice."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streaming.recent_ids import RecentIds

MINUTE = 60_000_000


def repeated(memory, *ids):
    high, low = (np.array([one[half] for one in ids], dtype=np.int64) for half in (0, 1))
    return memory.repeated(high, low).tolist()


def add(memory, arrived, *ids):
    high, low = (np.array([one[half] for one in ids], dtype=np.int64) for half in (0, 1))
    memory.add(high, low, np.full(len(ids), arrived, dtype=np.int64))


def test_the_first_of_a_batch_is_new_and_the_later_ones_are_repeated():
    assert repeated(RecentIds(MINUTE), (7, 1), (3, 1), (7, 1), (7, 1), (-5, 1)) == [False, False, True, True, False]


def test_what_an_earlier_batch_brought_is_repeated():
    memory = RecentIds(MINUTE)
    add(memory, 0, (7, 1), (-3, 9))
    assert repeated(memory, (-3, 9), (8, 1), (7, 1)) == [True, False, True]


def test_asking_is_not_remembering():
    # A batch that fails after the question is asked again: its readings must not have become repeats of themselves.
    memory = RecentIds(MINUTE)
    assert repeated(memory, (7, 1)) == [False]
    assert repeated(memory, (7, 1)) == [False]


def test_ids_that_agree_in_one_half_are_different():
    memory = RecentIds(MINUTE)
    assert repeated(memory, (7, 1), (7, 2), (8, 1)) == [False, False, False]
    add(memory, 0, (7, 1))
    assert repeated(memory, (7, 2), (8, 1)) == [False, False]


def test_the_ends_of_the_range_are_ids_like_others():
    ends = np.iinfo(np.int64)
    memory = RecentIds(MINUTE)
    add(memory, 0, (ends.min, ends.max), (ends.max, ends.min))
    assert repeated(memory, (ends.max, ends.min), (ends.min, ends.max), (ends.max - 1, ends.min)) == [True, True, False]


def test_ids_are_forgotten_by_arrival_not_by_order_of_coming():
    memory = RecentIds(MINUTE)
    add(memory, 0, (1, 1))
    add(memory, 10 * MINUTE, (2, 2))
    add(memory, 9 * MINUTE + 1, (3, 3))  # a second partition that lags behind: still within the minute
    assert repeated(memory, (1, 1), (2, 2), (3, 3)) == [False, True, True]
    assert len(memory) == 2


def test_a_clock_that_went_ahead_and_came_back_forgets_nothing_that_comes_after():
    memory = RecentIds(MINUTE)
    add(memory, 120 * MINUTE, (1, 1))
    add(memory, 0, (2, 2))
    add(memory, MINUTE // 2, (3, 3))
    assert repeated(memory, (2, 2), (3, 3)) == [True, True]


def test_nothing_added_forgets_nothing():
    memory = RecentIds(MINUTE)
    add(memory, 0, (1, 1))
    add(memory, 0)
    assert repeated(memory, (1, 1)) == [True]
    assert repeated(memory) == []


IDS = st.integers(-40, 40).map(lambda number: (number * 2**57, number))


@given(st.lists(st.lists(IDS, max_size=30), max_size=8))
def test_it_agrees_with_a_set(batches):
    memory, known = RecentIds(MINUTE), set()
    for arrived, batch in enumerate(batches):
        expected = []
        for one in batch:
            expected.append(one in known)
            known.add(one)
        assert repeated(memory, *batch) == expected
        add(memory, arrived, *[one for one, again in zip(batch, expected, strict=True) if not again])
        assert len(memory) == len(known)


ARRIVALS = st.integers(0, 5 * MINUTE)


@given(st.lists(st.lists(st.tuples(IDS, ARRIVALS), max_size=20), max_size=8))
def test_what_is_read_back_may_come_in_any_order_and_more_than_once(batches):
    """After a restart the table gives back more than is remembered, ids that were forgotten meanwhile among it. A batch
    that lies before all that is remembered looks like a clock that was set back: from then on more may be known."""
    memory, newest_of, clock, latest = RecentIds(MINUTE), {}, -MINUTE, -MINUTE
    for batch in batches:
        high, low = (np.array([one[half] for one, _ in batch], dtype=np.int64) for half in (0, 1))
        memory.add(high, low, np.array([arrived for _, arrived in batch], dtype=np.int64))
        for one, arrived in batch:
            newest_of[one] = max(arrived, newest_of.get(one, 0))
        if batch:
            newest = max(arrived for _, arrived in batch)
            clock = newest if newest < clock - MINUTE else max(clock, newest)
            latest = max(latest, clock)
        for known, arrived in zip(repeated(memory, *newest_of), newest_of.values(), strict=True):
            assert known or arrived < latest - MINUTE
            assert not known or arrived >= clock - MINUTE
