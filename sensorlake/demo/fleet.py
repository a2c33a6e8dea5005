"""The demo's simulated sensors: rounds of seconds, so that faults come soon and go on coming."""

from collections.abc import Callable, Iterator
from itertools import count

from edge import pacing
from edge.block import Block
from edge.simulator import Simulator

SENSORS = 400
ANOMALY_RATE = 0.05
# A round begins with a fifth of normal readings before its faults; `sensorlake simulate` takes ten minutes for one.
ROUND_SECONDS = 20
_SEED = 7


def blocks(clock: pacing.Clock, stop: Callable[[], bool]) -> Iterator[Block]:
    """One reading a sensor and second, due from now on, until `stop`."""
    start = clock.now()
    for number in count():
        if stop():
            return
        begin = start + number * ROUND_SECONDS * 1_000_000
        simulator = Simulator(SENSORS, ANOMALY_RATE, _SEED, begin, seconds=ROUND_SECONDS)
        yield from pacing.steady(simulator, clock, stop)
