"""Readings in any order, put together to messages: those of one device and one time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detection.detectors.detector import Floats, Integers


@dataclass(frozen=True)
class Readings:
    """device, metric: numbers into `devices` and `metrics`, shape (n,). time: microseconds since 1970. value: in the
    metric's unit, finite."""

    devices: Sequence[str]
    metrics: Sequence[str]
    device: Integers
    metric: Integers
    time: Integers
    value: Floats


@dataclass(frozen=True)
class Messages:
    """device, time: of each message, in that order. turn: its place among the messages of its device. message, column,
    value: of each reading, which message it belongs to, the column of its metric, and what it says."""

    device: Integers
    time: Integers
    turn: Integers
    message: Integers
    column: Integers
    value: Floats

    def values(self, chosen: Integers, metrics: int) -> Floats:
        """The readings of the chosen messages, shape (chosen, metrics), NaN where one lacks a metric."""
        place = np.full(len(self.device), -1)
        place[chosen] = np.arange(len(chosen))
        row = place[self.message]
        there = row >= 0
        found = np.full((len(chosen), metrics), np.nan)
        found[row[there], self.column[there]] = self.value[there]
        return found


def of(readings: Readings, column: Integers) -> Messages:
    """`column`: of each reading, which of its device's metrics it is. Of readings that are the same but for their
    value the last one counts."""
    order = np.lexsort((readings.time, readings.device))
    device, time = readings.device[order], readings.time[order]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (device[1:] != device[:-1]) | (time[1:] != time[:-1])
    message = np.cumsum(first) - 1
    device, time = device[first], time[first]
    turn = np.arange(len(device)) - np.searchsorted(device, device)
    return Messages(device, time, turn, message, column[order], readings.value[order])
