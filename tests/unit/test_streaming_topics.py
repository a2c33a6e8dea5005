"""What the stream asks of the topics before it starts."""

import pytest

from sensorlake.errors import StreamError
from streaming import topics


def test_each_partition_needs_a_slot_and_the_other_queries_two():
    topics.require_slots("raw", 2, 4)
    with pytest.raises(StreamError, match=r"raw has 3 partitions.*SENSORLAKE_SPARK_CORES to 5"):
        topics.require_slots("raw", 3, 4)
