"""The ids that a run must leave behind, computed from its plan and not from anything the system said."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from numpy.typing import NDArray

from benchmarks.violations import ViolatingRun, sensor_of
from contracts import identity
from edge import limits
from edge.metrics import METRICS
from edge.simulator import Simulator

DETECTOR = "hard_limit"
_CONDITION = ("battery", "signal")  # what a device with many metrics sends beside its own
_CHUNK = 100_000
_LIMITS = [limits.load()[metric.name] for metric in METRICS]
_LOWER = np.array([limit.lower for limit in _LIMITS])
_UPPER = np.array([limit.upper for limit in _LIMITS])


def anomalies(run: ViolatingRun) -> dict[str, int]:
    """Event time (microseconds since 1970-01-01 UTC) by anomaly id, in the order of sending."""
    fleet = run.simulator.fleet
    found = {}
    for index in _chunks(_length(run)):
        sensor = sensor_of(run.simulator, index)
        rows = run.mask[sensor] | _faults_beyond(run.simulator, index)
        for member, due in zip(sensor[rows].tolist(), run.simulator.due(index[rows]).tolist(), strict=True):
            metric = METRICS[fleet.metric[member]].name
            found[identity.anomaly_id(fleet.names[member], metric, due, DETECTOR)] = due
    return found


def violations_due(run: ViolatingRun) -> NDArray[np.int64]:
    """When each message of a violating sensor is due (microseconds since 1970-01-01 UTC), in order: one alert each, in
    a run without other faults."""
    found = [run.simulator.due(index[run.mask[sensor_of(run.simulator, index)]]) for index in _chunks(_length(run))]
    return np.concatenate(found)


def reading_ids(run: ViolatingRun, sent: int, only: NDArray[np.bool_] | None = None) -> pa.ChunkedArray:
    """The id of every reading in the first `sent` messages; `only`: of these sensors (a mask), where it is given."""
    fleet = run.simulator.fleet
    metrics = [METRICS[number].name for number in fleet.metric.tolist()]
    multi = fleet.multi.tolist()
    chunks = []
    for whole in _chunks(sent):
        index = whole if only is None else whole[only[sensor_of(run.simulator, whole)]]
        ids = []
        members = sensor_of(run.simulator, index).tolist()
        for member, due in zip(members, run.simulator.due(index).tolist(), strict=True):
            name = fleet.names[member]
            ids.append(identity.reading_id(name, name, metrics[member], due))
            if multi[member]:
                ids += [identity.reading_id(name, name, metric, due) for metric in _CONDITION]
        chunks.append(pa.array(ids, pa.string()))
    return pa.chunked_array(chunks, pa.string())


def sampled_sensors(run: ViolatingRun, most_messages: int) -> NDArray[np.bool_]:
    """A mask of sensors that together send about `most_messages`, all of them where the run is no longer."""
    every = max(1, -(-_length(run) // most_messages))
    mask = np.zeros(run.simulator.sensors, dtype=np.bool_)
    mask[::every] = True
    return mask


def readings_between(run: ViolatingRun, first: int, end: int) -> int:
    """How many readings are due from `first` to before `end` (microseconds since 1970-01-01 UTC)."""
    count = 0
    for index in _chunks(_length(run)):
        due = run.simulator.due(index)
        multi = run.simulator.fleet.multi[sensor_of(run.simulator, index)]
        count += int((1 + len(_CONDITION) * multi)[(first <= due) & (due < end)].sum())
    return count


def _faults_beyond(simulator: Simulator, index: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which messages an injected fault takes beyond the limit; without faults the simulator stays within."""
    beyond = np.zeros(len(index), dtype=np.bool_)
    done = 0 if len(simulator.affected) else len(index)
    while done < len(index):
        sensor, _, value, kind = simulator.readings(int(index[done]), len(index) - done)
        metric = simulator.fleet.metric[sensor]
        beyond[done : done + len(sensor)] = (kind >= 0) & ((value < _LOWER[metric]) | (value > _UPPER[metric]))
        done += len(sensor)
    return beyond


def _length(run: ViolatingRun) -> int:
    if run.total is None:
        raise ValueError("a run without end has no set of expected ids")
    return run.total


def _chunks(count: int) -> Iterator[NDArray[np.int64]]:
    for first in range(0, count, _CHUNK):
        yield np.arange(first, min(first + _CHUNK, count))
