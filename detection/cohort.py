"""Devices with equally many metrics, and what is known of each, side by side in arrays without gaps."""

from dataclasses import dataclass

import numpy as np

from detection.detectors.detector import Bools, Integers, State


@dataclass
class Cohort:
    """Row i of every array in `state` belongs to the device `devices[i]`, whose columns are the metrics
    `columns[i]`."""

    state: State
    devices: list[str]
    columns: list[tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.devices)

    def rows(self, rows: Integers) -> State:
        """A copy of the state of these devices."""
        return {name: array[rows] for name, array in self.state.items()}

    def put(self, rows: Integers, state: State) -> None:
        """Bring the state of these devices up to date."""
        for name, array in state.items():
            self.state[name][rows] = array

    def append(self, devices: list[str], columns: list[tuple[str, ...]], state: State) -> None:
        """Add devices at the end."""
        self.devices += devices
        self.columns += columns
        self.state = {name: np.concatenate([array, state[name]]) for name, array in self.state.items()}

    def keep(self, chosen: Bools) -> None:
        """Forget the devices that are not chosen."""
        self.devices = [device for device, kept in zip(self.devices, chosen, strict=True) if kept]
        self.columns = [columns for columns, kept in zip(self.columns, chosen, strict=True) if kept]
        self.state = {name: array[chosen] for name, array in self.state.items()}
