"""What every detector is: a judge of many devices at once that keeps a few numbers for each.

Devices stand in rows and their metrics in columns, so that one call of numpy judges thousands of readings. A detector
knows nothing of names, of clocks or of how often it is called: it is given one message of each of n devices, and the
state of just those devices, which it changes in place.

    state = detector.begin(devices=2, metrics=1)
    found = detector.update(state, block)
    found.score          # shape (2, 1), calibrated: 1 is the detector's own limit
    found.alarm          # shape (2,)

How a limit is learned is each detector's own affair; none is a constant of the metric's unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]
State = Mapping[str, NDArray[Any]]
"""Arrays by name; the first axis of each is the device. Never an object array: a state is stored as bytes."""


@dataclass(frozen=True)
class Block:
    """One message of each of n devices with k metrics each, and what `detection.reference` knows of the series.

    value: shape (n, k), in each metric's unit; NaN where the message lacks the metric.
    there: where it does not, shape (n, k).
    seen: readings that each series had before this one, shape (n, k).
    elapsed: seconds since the series' reading before this one, shape (n, k); NaN where there was none.
    hour: UTC hour of day as a fraction, 0 <= hour < 24, shape (n,).
    interval: seconds that usually lie between two messages of the device, shape (n,).
    history: seconds since the device's first message, shape (n,).
    training: the device is assumed to be normal and nothing is judged yet, shape (n,).
    declared: messages of the device that somebody declared normal, or the few it is given to start with, shape (n,).
    change: difference from the reading before, 0 where there was none, shape (n, k).
    level, deviation: where the series has been within its last readings, and the deviation of its noise, shape (n, k).
    unrest: mean of the last squared changes, 1 where they are as usual, shape (n, k).
    resolution: the least step that the series usually makes, 0 while none is known, shape (n, k).
    calm: nothing was abnormal lately, so what is seen may be learned from, shape (n, k).
    """

    value: Floats
    there: Bools
    seen: Integers
    elapsed: Floats
    hour: Floats
    interval: Floats
    history: Floats
    training: Bools
    declared: Integers
    change: Floats
    level: Floats
    deviation: Floats
    unrest: Floats
    resolution: Floats
    calm: Bools


@dataclass(frozen=True)
class Found:
    """score: calibrated, >= 0, finite; shape (n, k), or (n, 1) of a detector that judges a device as a whole.
    alarm: shape (n,). contributions: of the metrics to the score, shape (n, k)."""

    score: Floats
    alarm: Bools
    contributions: Floats

    @classmethod
    def nothing(cls, block: Block) -> "Found":
        """Of devices that a detector has nothing to say of."""
        zeros = np.zeros(block.value.shape)
        return cls(zeros[:, :1], np.zeros(len(zeros), np.bool_), zeros)


class Detector(Protocol):
    """One way to tell abnormal readings from usual ones."""

    name: ClassVar[str]
    per_device: ClassVar[bool]
    """It judges a device as a whole: what it keeps begins anew when the device gets another metric."""
    momentary: ClassVar[bool]
    """While it finds a series abnormal, the reference of that series is not learned from."""

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        """The state of devices that have sent nothing yet."""

    def update(self, state: State, block: Block) -> Found:
        """Judge the block by what was known before it, then learn from it.

        `state` holds the rows of the block's devices and is brought up to date in place.
        """


def put(array: NDArray[Any], chosen: Bools, values: NDArray[Any]) -> None:
    """array = values where chosen, in place."""
    np.copyto(array, values, where=chosen, casting="same_kind")
