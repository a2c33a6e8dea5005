"""Many devices with names, and what an ensemble knows of each: readings in, verdicts out.

    fleet = Fleet(ensemble)
    verdicts = fleet.judge(readings)       # of any devices, known or new, in any order

Devices with equally many metrics stand together in a cohort. A device that sends a metric for the first time moves to
the next larger one: what is known of each of its series goes with it, what is known of all of them together begins
anew. `detection.fleet_bytes` keeps a fleet for later.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import groupby, repeat
from types import MappingProxyType
from typing import Any

import numpy as np

from detection import messages
from detection.cohort import Cohort
from detection.detectors.detector import Bools, Floats, Integers
from detection.ensemble import Ensemble, Judgement
from detection.messages import Messages, Readings


@dataclass(frozen=True)
class Verdicts:
    """One entry a message: its device (a number into the readings' `devices`), its time, and what was found, as in
    `Judgement`. metric: number into the device's own metrics (`Fleet.metrics`)."""

    device: Integers
    time: Integers
    value: Floats
    score: Floats
    alarm: Bools
    began: Bools
    since: Integers
    detector: Integers
    metric: Integers
    by_detector: Floats
    alarms: Bools

    def where(self, chosen: Bools) -> "Verdicts":
        """The chosen ones."""
        return Verdicts(**{item.name: getattr(self, item.name)[chosen] for item in fields(self)})


@dataclass(frozen=True)
class Silence:
    """A device that stopped sending after `last` (microseconds since 1970) and has been silent for `seconds`, which is
    `score` times as long as it may; `metric`: the first of its metrics."""

    device: str
    metric: str
    last: int
    score: float
    seconds: float


_ROWS = 1 << 32
_LOOK_EVERY = 1_000_000
_COMMON_PAUSE = 30_000_000


class Fleet:
    """What `ensemble` knows of each device that has sent something.

    training: messages that are taken as normal, of devices where it is not the ensemble's own number.
    """

    def __init__(
        self, ensemble: Ensemble, cohorts: Iterable[Cohort] = (), training: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self.ensemble = ensemble
        self._training = training
        self.cohorts = {len(cohort.columns[0]): cohort for cohort in cohorts if len(cohort)}
        """By the number of metrics."""
        self.clock = self.steady_since = 0
        """When `silent` looked last, and since when devices have been sending without a common pause."""
        # One number a device, size * _ROWS + row: an array of numbers is made ten times as fast as one of pairs.
        self._place: dict[str, int] = {}
        self._metric: dict[str, int] = {}
        self._known_metrics: dict[int, Integers] = {}
        """The metrics of each cohort by their numbers in `_metric`, shape (devices, metrics): to look up each reading's
        column by names would take as long as several detectors."""
        self._find_places()

    def __len__(self) -> int:
        return len(self._place)

    def metrics(self, device: str) -> tuple[str, ...]:
        """The metrics of a device, in the order of its columns."""
        metrics, row = divmod(self._place[device], _ROWS)
        return self.cohorts[metrics].columns[row]

    def judge(self, readings: Readings) -> Verdicts:
        """Judge every message with a reading that was not judged before; in order of device and time.

        A reading older than its series' last one is judged, but nothing is learned from it; one that is older than
        the last `detection.ensemble.RECENT` of its series is left out.
        """
        place = _looked_up(self._place, readings.devices)
        column = self._columns(readings, place)
        if len(unknown := np.flatnonzero(column < 0)):
            self._admit(_new(readings, unknown))
            place = _looked_up(self._place, readings.devices)
            column = self._columns(readings, place)
        found = messages.of(readings, column)
        metrics, row = np.divmod(place[found.device], _ROWS)
        verdicts = [
            verdict
            for turn in range(int(found.turn.max(initial=-1)) + 1)
            for size, cohort in self.cohorts.items()
            for verdict in self._judge(
                cohort, size, found, np.flatnonzero((found.turn == turn) & (metrics == size)), row
            )
        ]
        return _in_order(verdicts, len(self.ensemble.names))

    def silent(self, readings: Readings, clock: int = 0) -> list[Silence]:
        """Devices that have been silent for longer than they ever were, each told once a silence. To be asked after
        `judge`, with the same readings.

        It is as late as the median time of the readings says: one clock that is wrong must not silence all others.
        Without any it is as late as `clock` (microseconds since 1970), by readings of devices elsewhere. When nobody
        has sent for a while, the silence of each counts from when somebody did again.
        """
        now = int(np.median(readings.time)) if len(readings.time) else clock
        if now - self.clock > _COMMON_PAUSE:
            self.steady_since = now
        if now - self.clock < _LOOK_EVERY:
            return []
        self.clock = now
        found = []
        for cohort in self.cohorts.values():
            score, waited, new = self.ensemble.overdue(cohort.state, now, self.steady_since)
            last = cohort.state["last"].max(axis=1)
            found += [
                Silence(
                    cohort.devices[row], cohort.columns[row][0], int(last[row]), float(score[row]), float(waited[row])
                )
                for row in np.flatnonzero(new).tolist()
            ]
        return found

    def forget_before(self, time: int) -> int:
        """Forget devices that have sent nothing since `time` (microseconds since 1970); how many they were."""
        before = len(self)
        for cohort in self.cohorts.values():
            cohort.keep(cohort.state["last"].max(axis=1) >= time)
        self._find_places()
        return before - len(self)

    def _judge(self, cohort: Cohort, size: int, found: Messages, chosen: Integers, row: Integers) -> Iterator[Verdicts]:
        if not len(chosen):
            return
        value, time, rows = found.values(chosen, size), found.time[chosen], row[chosen]
        fresh, late = self.ensemble.sorted_out(cohort.rows(rows), time, value)
        some = np.flatnonzero(np.isfinite(late).any(axis=1))
        if len(some):
            judged = self.ensemble.judge_late(cohort.rows(rows[some]), time[some], late[some])
            yield _verdicts(judged, found, chosen[some])
        some = np.flatnonzero(np.isfinite(fresh).any(axis=1))
        if len(some):
            state = cohort.rows(rows[some])
            judged = self.ensemble.update(state, time[some], fresh[some])
            state.store()
            yield _verdicts(judged, found, chosen[some])

    def _columns(self, readings: Readings, place: Integers) -> Integers:
        """The column of each reading; -1 where its device, or its metric there, is new."""
        size, row = np.divmod(place[readings.device], _ROWS)
        metric = _looked_up(self._metric, readings.metrics)[readings.metric]
        column = np.full(len(size), -1)
        for metrics, known in self._known_metrics.items():
            chosen = np.flatnonzero(size == metrics)
            same = known[row[chosen]] == metric[chosen, None]
            column[chosen] = np.where(same.any(axis=1), same.argmax(axis=1), -1)
        return column

    def _admit(self, new: Mapping[str, list[str]]) -> None:
        """Take in devices, or known ones with more metrics."""
        columns = {device: (*self._known(device), *metrics) for device, metrics in new.items()}
        sizes = sorted((self._place.get(device, 0) // _ROWS, len(columns[device]), device) for device in new)
        for (old, size), group in groupby(sizes, key=lambda entry: entry[:2]):
            devices = [device for _, _, device in group]
            if old:
                rows = np.array([self._place[device] % _ROWS for device in devices])
                state = self.ensemble.widened(self.cohorts[old].rows(rows), size)
            else:
                state = self.ensemble.begin(len(devices), size)
                state["training"][:] = [self._training.get(device, self.ensemble.training) for device in devices]
            if size in self.cohorts:
                self.cohorts[size].append(devices, [columns[device] for device in devices], state)
            else:
                self.cohorts[size] = Cohort(state, devices, [columns[device] for device in devices])
        for size, cohort in self.cohorts.items():
            moved = [device in new and len(columns[device]) != size for device in cohort.devices]
            if any(moved):
                cohort.keep(~np.array(moved))
        self._find_places()

    def _known(self, device: str) -> tuple[str, ...]:
        return self.metrics(device) if device in self._place else ()

    def _find_places(self) -> None:
        self.cohorts = {size: cohort for size, cohort in self.cohorts.items() if len(cohort)}
        self._place = {
            device: size * _ROWS + row
            for size, cohort in self.cohorts.items()
            for row, device in enumerate(cohort.devices)
        }
        self._metric = {}
        self._known_metrics = {
            size: np.array(
                [
                    [self._metric.setdefault(metric, len(self._metric)) for metric in metrics]
                    for metrics in cohort.columns
                ]
            )
            for size, cohort in self.cohorts.items()
        }


def _new(readings: Readings, unknown: Integers) -> dict[str, list[str]]:
    """The metrics of devices that the readings `unknown` are about."""
    several = len(readings.metrics)
    new: dict[str, list[str]] = {}
    for pair in np.unique(readings.device[unknown] * several + readings.metric[unknown]).tolist():
        device, metric = divmod(pair, several)
        new.setdefault(readings.devices[device], []).append(readings.metrics[metric])
    return new


def _looked_up(found: Mapping[Any, int], names: Sequence[Any]) -> Integers:
    """The number of each name; -1 of an unknown one."""
    return np.fromiter(map(found.get, names, repeat(-1)), dtype=np.int64, count=len(names))


def _verdicts(judged: Judgement, found: Messages, chosen: Integers) -> Verdicts:
    shared = {item.name: getattr(judged, item.name) for item in fields(Judgement)}
    return Verdicts(device=found.device[chosen], time=found.time[chosen], **shared)


def _in_order(verdicts: list[Verdicts], detectors: int) -> Verdicts:
    if not verdicts:
        wide = {"by_detector": np.empty((0, detectors)), "alarms": np.empty((0, detectors))}
        return Verdicts(**{item.name: np.empty(0) for item in fields(Verdicts)} | wide)
    if len(verdicts) == 1:  # messages of one turn and cohort stand in order already
        return verdicts[0]
    whole = Verdicts(
        **{item.name: np.concatenate([getattr(part, item.name) for part in verdicts]) for item in fields(Verdicts)}
    )
    order = np.lexsort((whole.time, whole.device))
    return whole.where(order)
