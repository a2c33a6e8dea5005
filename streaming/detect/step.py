"""What was put to a fleet at one time, as bytes and back: the readings of one batch.

    bytes of the header's length (4, big endian) | header, JSON | device, metric, time, value of each reading

A fleet is a function of the steps it has taken, so that steps are all that has to be kept of it between snapshots.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from detection.messages import Readings

_KINDS = {"device": "<i4", "metric": "<i4", "time": "<i8", "value": "<f8"}
_PACKED = np.dtype([("device", "<i4"), ("sensor", "<i4"), ("metric", "<i4"), ("time", "<i8"), ("value", "<f8")])


@dataclass(frozen=True)
class Step:
    """Readings of some devices, and the sensor that sent each: numbers into `sensors`. clock: the time of readings to
    all shards, microseconds since 1970, as a shard may have none."""

    readings: Readings
    sensors: list[str]
    sensor: NDArray[np.int64]
    clock: int


def of(frames: list[pd.DataFrame]) -> Step:
    """Rows with names, records and clock, as decoder/Packer.java packs them -> one step."""
    devices, sensors, metrics = _Numbers(), _Numbers(), _Numbers()
    parts = []
    for frame in frames:
        for content, records in zip(frame["names"], frame["records"], strict=True):
            names, packed = orjson.loads(content), np.frombuffer(records, _PACKED).copy()
            packed["device"] = devices.of(names["devices"])[packed["device"]]
            packed["sensor"] = sensors.of(names["sensors"])[packed["sensor"]]
            packed["metric"] = metrics.of(names["metrics"])[packed["metric"]]
            parts.append(packed)
    whole = np.concatenate(parts)
    readings = Readings(
        devices=list(devices),
        metrics=list(metrics),
        device=whole["device"].astype(np.int64),
        metric=whole["metric"].astype(np.int64),
        time=whole["time"].astype(np.int64),
        value=whole["value"].astype(np.float64),
    )
    # The partition that is behind tells the time: nobody is silent whose readings wait.
    clock = min(int(frame["clock"].min()) for frame in frames)
    return Step(readings, list(sensors), whole["sensor"].astype(np.int64), clock)


def dump(taken: Step) -> bytes:
    """What of a step is to be remembered: its readings and its clock."""
    readings = taken.readings
    about = {"devices": list(readings.devices), "metrics": list(readings.metrics), "count": len(readings.time)}
    header = orjson.dumps(about | {"clock": taken.clock})
    arrays = [getattr(readings, name).astype(kind).tobytes() for name, kind in _KINDS.items()]
    return b"".join([len(header).to_bytes(4, "big"), header, *arrays])


def load(stored: bytes) -> tuple[Readings, int]:
    """The readings and the clock that `dump` made the bytes of."""
    start = 4 + int.from_bytes(stored[:4], "big")
    header = orjson.loads(stored[4:start])
    arrays: dict[str, NDArray[Any]] = {}
    for name, kind in _KINDS.items():
        array = np.frombuffer(stored, dtype=kind, count=header["count"], offset=start)
        arrays[name] = array.astype(np.int64) if array.dtype.kind == "i" else array
        start += array.nbytes
    # Steps of an older version have no clock, and each has readings.
    return Readings(devices=header["devices"], metrics=header["metrics"], **arrays), header.get("clock", 0)


class _Numbers(dict[str, int]):
    """Names in the order in which they were first seen, and the number of each."""

    def of(self, names: list[str]) -> NDArray[np.int64]:
        return np.array([self.setdefault(name, len(self)) for name in names], dtype=np.int64)
