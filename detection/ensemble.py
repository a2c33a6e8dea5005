"""Several detectors as one: one score a device, and which metric and detector it came from.

    score = the greatest calibrated score over the detectors and the device's metrics; 1 is at a limit
    alarm = any detector is in alarm

The state of an ensemble is one flat set of arrays; those of a detector are named `<detector>.<array>`, those of the
common reference `reference.<array>`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection import reference
from detection.detectors.detector import Block, Bools, Detector, Floats, Integers, State
from detection.detectors.missing import Missing
from detection.limited import MOST

_SECOND = 1e6
_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
NEVER = np.iinfo(np.int64).min
RECENT = 8
"""Times of its last readings that each series remembers, to know a repeated one by."""
_INTERVAL_GAIN = 0.02


@dataclass(frozen=True)
class Judgement:
    """One entry a device of the block, shape (n,).

    score: calibrated. alarm: the device is in alarm after this message. began: that alarm begins with it. since: when
    it began, microseconds since 1970; -1 without alarm. detector, metric: number of the detector with the greatest
    score, and of the device's metric that contributes most to it. value: the last reading of that metric, as not every
    message holds all of them. by_detector: score of each, shape (n, detectors);
    alarms: which of them are in alarm, shape (n, detectors).
    """

    score: Floats
    alarm: Bools
    began: Bools
    since: Integers
    detector: Integers
    metric: Integers
    value: Floats
    by_detector: Floats
    alarms: Bools


class Own(State):
    """The arrays of one detector among those of an ensemble."""

    def __init__(self, state: State, name: str) -> None:
        self._state, self._prefix = state, f"{name}."

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._state[self._prefix + name]

    def __iter__(self) -> Iterator[str]:
        return (name[len(self._prefix) :] for name in self._state if name.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Ensemble:
    """Judges blocks of messages by several detectors.

    training: messages of a device that are taken as normal before it is judged.
    """

    def __init__(self, detectors: Sequence[Detector], *, training: int) -> None:
        self.detectors = tuple(detectors)
        self.names = tuple(detector.name for detector in detectors)
        self.training = training

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        """The state of devices with `metrics` metrics each that have sent nothing yet."""
        state: dict[str, NDArray[Any]] = {
            "seen": np.zeros((devices, metrics), dtype=np.int64),
            "last": np.full((devices, metrics), NEVER, dtype=np.int64),
            "recent": np.full((devices, metrics, RECENT), NEVER, dtype=np.int64),
            "first": np.full(devices, NEVER, dtype=np.int64),
            "interval": np.full(devices, np.inf),
            "messages": np.zeros(devices, dtype=np.int64),
            "training": np.full(devices, self.training, dtype=np.int64),
            "alarm": np.zeros(devices, dtype=np.bool_),
            "since": np.full(devices, -1, dtype=np.int64),
        }
        state |= {f"reference.{name}": array for name, array in reference.begin(devices, metrics).items()}
        for detector in self.detectors:
            own = detector.begin(devices, metrics)
            state |= {f"{detector.name}.{name}": array for name, array in own.items()}
        return state

    def widened(self, state: State, metrics: int) -> dict[str, NDArray[Any]]:
        """The state of the same devices with `metrics` metrics, more than before: the new ones stand at the end."""
        wide = self.begin(len(state["messages"]), metrics)
        per_device = {detector.name for detector in self.detectors if detector.per_device}
        for name, array in state.items():
            if name.split(".")[0] in per_device:
                continue
            if array.ndim == 1:
                wide[name] = array
            else:
                wide[name][:, : array.shape[1]] = array
        return wide

    def sorted_out(self, state: State, time: Integers, value: Floats) -> tuple[Floats, Floats]:
        """The readings that are newer than those of their series before, and those that come late; NaN in place of
        the others, of repeated ones, and of those too old to tell whether they are repeated."""
        at = time[:, None]
        newer = at > state["last"]
        if newer.all():
            return value, np.full_like(value, np.nan)
        repeated = (state["recent"] == at[:, :, None]).any(axis=2)
        too_old = at < state["recent"].min(axis=2)
        return np.where(newer, value, np.nan), np.where(newer | repeated | too_old, np.nan, value)

    def update(self, state: State, time: Integers, value: Floats) -> Judgement:
        """Judge one message of each device, newer than all before it, then learn from it.

        state: rows of these devices, changed in place. time: microseconds since 1970, shape (n,). value: shape (n, k),
        NaN where a metric is missing.
        """
        seen, last = state["seen"], state["last"]
        elapsed = np.where(seen > 0, (time[:, None] - np.where(seen > 0, last, 0)) / _SECOND, np.nan)
        _follow_interval(state, elapsed)
        there = np.isfinite(value)
        found = self._judge(state, time, value, there, elapsed)
        device, metric = np.nonzero(there)
        state["recent"][device, metric, seen[device, metric] % RECENT] = time[device]
        np.copyto(last, time[:, None], where=there)
        seen += there
        state["first"][:] = np.where(state["messages"] == 0, time, state["first"])
        state["messages"][:] += 1
        return found

    def judge_late(self, state: State, time: Integers, value: Floats) -> Judgement:
        """Judge messages that came after newer ones: by what is known now, and nothing is learned from them.

        Each that is abnormal is an alarm of its own; `state` is not changed.
        """
        copied = {name: array.copy() for name, array in state.items()}
        before = copied["alarm"].copy()
        copied["alarm"][:] = False
        for name in self.names:
            if f"{name}.alarm" in copied:
                copied[f"{name}.alarm"][:] = False
        found = self._judge(copied, time, value, np.isfinite(value), np.full(value.shape, np.nan))
        return replace(found, alarm=before | found.alarm, since=np.where(found.alarm, time, state["since"]))

    def overdue(self, state: State, now: int, since: int) -> tuple[Floats, Floats, Bools]:
        """Of each device how long it may be silent and is, and whether that is an alarm which was not told yet.

        now, since: microseconds since 1970; a silence counts from `since` at the earliest. Returns score, seconds and
        alarm, each of shape (n,).
        """
        waited = np.maximum(now - np.maximum(state["last"].max(axis=1), since), 0) / _SECOND
        score, new = np.zeros(len(waited)), np.zeros(len(waited), np.bool_)
        for detector in self.detectors:
            if isinstance(detector, Missing):
                own = Own(state, detector.name)
                score = np.where(state["messages"] >= state["training"], detector.overdue(own, waited), 0.0)
                new = (score >= 1) & ~own["told"]
                own["told"][:] |= new
        return score, waited, new

    def _judge(self, state: State, time: Integers, value: Floats, there: Bools, elapsed: Floats) -> Judgement:
        shape = (len(time), len(self.detectors))
        by_detector, alarms = np.zeros(shape), np.zeros(shape, np.bool_)
        metrics = np.zeros(shape, np.int64)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            common = Own(state, "reference")
            usual = reference.look(common, value, there, state["seen"])
            block = _block(state, time, value, elapsed, usual)
            abnormal = np.zeros(value.shape, np.bool_)
            for number, detector in enumerate(self.detectors):
                found = detector.update(Own(state, detector.name), block)
                highest = found.score.max(axis=1)
                # Readings near the largest double overflow in any square.
                by_detector[:, number] = np.minimum(np.nan_to_num(highest, nan=0.0, posinf=MOST), MOST)
                alarms[:, number] = found.alarm
                if value.shape[1] > 1:
                    metrics[:, number] = found.contributions.argmax(axis=1)
                if detector.momentary:
                    abnormal |= found.score > 1
            reference.learn(common, usual, value, state["seen"], abnormal)
        alarm = alarms.any(axis=1)
        began = alarm & ~state["alarm"]
        since = np.where(began, time, np.where(alarm, state["since"], -1))
        state["alarm"][:], state["since"][:] = alarm, since
        # Of a device in alarm a detector in alarm is named, also while another one has a higher score and is none.
        named = np.where(alarms | ~alarm[:, None], by_detector, -1.0).argmax(axis=1)
        row = np.arange(len(time))
        metric = metrics[row, named]
        last = common["value"][row, metric]
        return Judgement(by_detector.max(axis=1), alarm, began, since, named, metric, last, by_detector, alarms)


def _block(state: State, time: Integers, value: Floats, elapsed: Floats, usual: reference.Usual) -> Block:
    messages, training = state["messages"], state["training"]
    return Block(
        value=value,
        there=usual.there,
        seen=state["seen"],
        elapsed=elapsed,
        hour=time % _DAY / _HOUR,
        interval=state["interval"],
        history=np.where(messages > 0, (time - np.where(messages > 0, state["first"], 0)) / _SECOND, 0.0),
        training=messages < training,
        declared=training,
        change=usual.change,
        level=usual.level,
        deviation=usual.deviation,
        unrest=usual.unrest,
        resolution=usual.resolution,
        calm=usual.calm,
    )


def _follow_interval(state: State, elapsed: Floats) -> None:
    """The median of the seconds between messages, by small steps up and down."""
    interval = state["interval"]
    pause = np.where(np.isfinite(elapsed) & (elapsed > 0), elapsed, np.inf).min(axis=1)
    there = np.isfinite(pause)
    step = np.where(pause > interval, 1 + _INTERVAL_GAIN, 1 - _INTERVAL_GAIN)
    before = np.where(np.isinf(interval), 0.0, interval)
    near = (before == 0) | (np.abs(np.where(there, pause, 0.0) - before) <= _INTERVAL_GAIN * before)
    interval[:] = np.where(there, np.where(near, pause, before * step), interval)
