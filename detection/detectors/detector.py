"""What every detector is: a judge of many devices at once that keeps a few numbers for each.

Devices stand in rows and their metrics in columns, so that one call of numpy judges thousands of readings. A detector
knows nothing of names, of clocks or of how often it is called: it is given one message of each of n devices, and the
state of just those devices, which it changes in place.

    state = detector.begin(devices=2, metrics=1)
    raw = detector.update(state, block)          # shape (2, 1): how abnormal each reading is, 0 is usual

Raw scores of two detectors cannot be compared. `detection.tails` learns from the normal rows which raw score is rare
for each series; `detection.ensemble` divides by that.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]
State = dict[str, NDArray[Any]]
"""Arrays by name; the first axis of each is the device. Never an object array: a state is stored as bytes."""


@dataclass(frozen=True)
class Block:
    """One message of each of n devices with k metrics each.

    value: shape (n, k), in each metric's unit; NaN where the message lacks the metric.
    seen: readings that each series had before this one, shape (n, k).
    elapsed: seconds since the series' reading before this one, shape (n, k); NaN where there was none.
    hour: UTC hour of day as a fraction, 0 <= hour < 24, shape (n,).
    training: the device is assumed to be normal and nothing is judged yet, shape (n,).
    abnormal: the device was in alarm before this message, shape (n,): what is learned from it is learned slowly.
    """

    value: Floats
    seen: Integers
    elapsed: Floats
    hour: Floats
    training: Bools
    abnormal: Bools


class Detector(Protocol):
    """One way to tell abnormal readings from usual ones."""

    name: ClassVar[str]
    per_device: ClassVar[bool]
    """Its raw score is one a device, shape (n, 1), instead of one a series, shape (n, k)."""

    def begin(self, devices: int, metrics: int) -> State:
        """The state of devices that have sent nothing yet."""

    def update(self, state: State, block: Block) -> Floats:
        """Raw scores >= 0 of the block's readings, by what was known before them; NaN where nothing can be said.

        `state` holds the rows of the block's devices and is brought up to date in place.
        """


def put(array: NDArray[Any], chosen: Bools, values: NDArray[Any]) -> None:
    """array = values where chosen, in place."""
    np.copyto(array, values, where=chosen, casting="same_kind")
