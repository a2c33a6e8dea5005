"""Several detectors as one: one calibrated score a device, and which metric and detector it came from.

    calibrated = raw / limit of the series (detection.tails)      1 is at the limit
    score      = the greatest over the detectors and the device's metrics

The state of an ensemble is one flat set of arrays; those of a detector are named `<detector>.<array>`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from detection import tails
from detection.alarms import Hysteresis
from detection.detectors.detector import Block, Bools, Detector, Floats, Integers, State

_SECOND = 1e6
_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
NEVER = np.iinfo(np.int64).min
RECENT = 8
"""Times of its last readings that each series remembers, to know a repeated one by."""
MOST = 1e6
"""The greatest score: a constant series that changes would otherwise be infinitely abnormal."""


@dataclass(frozen=True)
class Judgement:
    """One entry a device of the block, shape (n,).

    score: calibrated, 0 .. `MOST`. alarm: the device is in alarm after this message. began: that alarm begins with it.
    since: when it began, microseconds since 1970; -1 without alarm. detector, metric: number of the detector and of
    the device's metric with the greatest score. raw, limit: of that detector and metric. by_detector, by_metric: the
    greatest calibrated score of each detector, shape (n, detectors), and on each metric, shape (n, k).
    """

    score: Floats
    alarm: Bools
    began: Bools
    since: Integers
    detector: Integers
    metric: Integers
    raw: Floats
    limit: Floats
    by_detector: Floats
    by_metric: Floats


class Ensemble:
    """Judges blocks of messages by several detectors.

    rate: share of a normal series' readings that one detector may find abnormal. training: messages of a device that
    are taken as normal before it is judged.
    """

    def __init__(
        self, detectors: Sequence[Detector], *, rate: float, training: int, hysteresis: Hysteresis | None = None
    ) -> None:
        self.detectors = tuple(detectors)
        self.names = tuple(detector.name for detector in detectors)
        self._rate = rate
        self.training = training
        self._hysteresis = hysteresis or Hysteresis()

    def begin(self, devices: int, metrics: int) -> State:
        """The state of devices with `metrics` metrics each that have sent nothing yet."""
        state: State = {
            "seen": np.zeros((devices, metrics), dtype=np.int64),
            "last": np.full((devices, metrics), NEVER, dtype=np.int64),
            "recent": np.full((devices, metrics, RECENT), NEVER, dtype=np.int64),
            "messages": np.zeros(devices, dtype=np.int64),
            "training": np.full(devices, self.training, dtype=np.int64),
            **self._hysteresis.begin(devices),
        }
        for detector in self.detectors:
            channels = 1 if detector.per_device else metrics
            own = detector.begin(devices, metrics) | tails.begin(devices, channels)
            state |= {f"{detector.name}.{array}": values for array, values in own.items()}
        return state

    def widened(self, state: State, metrics: int) -> State:
        """The state of the same devices with `metrics` metrics, more than before: the new ones stand at the end."""
        wide = self.begin(len(state["messages"]), metrics)
        per_device = {detector.name for detector in self.detectors if detector.per_device}
        for name, array in state.items():
            if array.ndim == 1:
                wide[name] = array
            elif name.split(".")[0] not in per_device:
                wide[name][:, : array.shape[1]] = array
        return wide

    def sorted_out(self, state: State, time: Integers, value: Floats) -> tuple[Floats, Floats]:
        """The readings that are newer than those of their series before, and those that come late; NaN in place of
        the others, of repeated ones, and of those too old to tell whether they are repeated."""
        at = time[:, None]
        newer = at > state["last"]
        repeated = (state["recent"] == at[:, :, None]).any(axis=2)
        too_old = at < state["recent"].min(axis=2)
        return np.where(newer, value, np.nan), np.where(newer | repeated | too_old, np.nan, value)

    def update(self, state: State, time: Integers, value: Floats) -> Judgement:
        """Judge one message of each device, newer than all before it, then learn from it.

        state: rows of these devices, changed in place. time: microseconds since 1970, shape (n,). value: shape (n, k),
        NaN where a metric is missing.
        """
        elapsed = np.where(state["seen"] > 0, (time[:, None] - state["last"]) / _SECOND, np.nan)
        found = self._judge(state, time, value, elapsed)
        there = np.isfinite(value)
        device, metric = np.nonzero(there)
        state["recent"][device, metric, state["seen"][device, metric] % RECENT] = time[device]
        np.copyto(state["last"], time[:, None], where=there)
        state["seen"] += there
        state["messages"] += 1
        return found

    def judge_late(self, state: State, time: Integers, value: Floats) -> Judgement:
        """Judge messages that came after newer ones: by what is known now, and nothing is learned from them.

        Each that is abnormal is an alarm of its own; `state` is not changed.
        """
        state = {name: array.copy() for name, array in state.items()}
        found = self._judge(state, time, value, np.full(value.shape, np.nan))
        high = (found.score >= self._hysteresis.on) & (state["messages"] >= state["training"])
        return replace(found, alarm=high, began=high, since=np.where(high, time, -1))

    def _judge(self, state: State, time: Integers, value: Floats, elapsed: Floats) -> Judgement:
        block = Block(
            value=value,
            seen=state["seen"],
            elapsed=elapsed,
            hour=time % _DAY / _HOUR,
            training=state["messages"] < state["training"],
            abnormal=state["alarm"].copy(),
        )
        rows = np.arange(len(time))
        score, raw, limit = np.zeros(len(time)), np.zeros(len(time)), np.full(len(time), np.inf)
        which, metric = np.zeros(len(time), dtype=np.int64), np.zeros(len(time), dtype=np.int64)
        by_detector, by_metric = np.zeros((len(time), len(self.detectors))), np.zeros(value.shape)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            for number, detector in enumerate(self.detectors):
                own = _of(state, detector.name)
                found = detector.update(own, block)
                calibrated = np.minimum(np.nan_to_num(found / own["limit"], nan=0.0, posinf=MOST), MOST)
                column = calibrated.argmax(axis=1)
                highest = calibrated[rows, column]
                by_detector[:, number] = highest
                if not detector.per_device:
                    np.maximum(by_metric, calibrated, out=by_metric)
                higher = highest > score
                score[higher] = highest[higher]
                raw[higher], limit[higher] = found[rows, column][higher], own["limit"][rows, column][higher]
                which[higher], metric[higher] = number, column[higher]
                tails.learn(own, found, block.training, self._rate)
        began = self._hysteresis.update(state, score, time, ~block.training)
        return Judgement(
            score=score,
            alarm=state["alarm"].copy(),
            began=began,
            since=state["since"].copy(),
            detector=which,
            metric=metric,
            raw=raw,
            limit=limit,
            by_detector=by_detector,
            by_metric=by_metric,
        )


def _of(state: State, detector: str) -> State:
    prefix = f"{detector}."
    return {name[len(prefix) :]: array for name, array in state.items() if name.startswith(prefix)}
