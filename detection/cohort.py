"""Devices with equally many metrics, and what is known of each, side by side in arrays without gaps."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Bools, Integers, State


class Rows(State):
    """Some rows of the arrays of a cohort. Only the arrays that are asked for are copied, as most of what is kept is
    needed now and then; of all rows none is."""

    def __init__(self, state: dict[str, NDArray[Any]], rows: Integers | None) -> None:
        self._state, self._rows = state, rows
        self._taken: dict[str, NDArray[Any]] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if self._rows is None:
            return self._state[name]
        if name not in self._taken:
            self._taken[name] = self._state[name][self._rows]
        return self._taken[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._state)

    def __len__(self) -> int:
        return len(self._state)

    def store(self) -> None:
        """Bring the cohort up to date with what was changed in these rows."""
        for name, array in self._taken.items():
            self._state[name][self._rows] = array


@dataclass
class Cohort:
    """Row i of every array in `state` belongs to the device `devices[i]`, whose columns are the metrics
    `columns[i]`."""

    state: dict[str, NDArray[Any]]
    devices: list[str]
    columns: list[tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.devices)

    def rows(self, rows: Integers) -> "Rows":
        """The state of these devices, none of them twice."""
        everything = len(rows) == len(self) and bool((rows == np.arange(len(rows))).all())
        return Rows(self.state, None if everything else rows)

    def append(self, devices: list[str], columns: list[tuple[str, ...]], state: dict[str, NDArray[Any]]) -> None:
        """Add devices at the end."""
        self.devices += devices
        self.columns += columns
        self.state = {name: np.concatenate([array, state[name]]) for name, array in self.state.items()}

    def keep(self, chosen: Bools) -> None:
        """Forget the devices that are not chosen."""
        self.devices = [device for device, kept in zip(self.devices, chosen, strict=True) if kept]
        self.columns = [columns for columns, kept in zip(self.columns, chosen, strict=True) if kept]
        self.state = {name: array[chosen] for name, array in self.state.items()}
