"""Recorded rows judged as the stream would judge them: one row of each run at a time, in the order they stand in.

Several runs are judged side by side, each as a device of one fleet; none of them changes what is found in another.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detection.detectors.detector import Bools, Floats, Integers
from detection.ensemble import Ensemble
from detection.fleet import Fleet
from detection.limited import MOST
from detection.messages import Readings


@dataclass(frozen=True)
class Rows:
    """The rows of one run. time: microseconds since 1970, shape (rows,). value: shape (rows, metrics), NaN where there
    is none. training: rows from the start that are taken as normal."""

    name: str
    metrics: tuple[str, ...]
    time: Integers
    value: Floats
    training: int


@dataclass(frozen=True)
class Judged:
    """One entry a row of a run; detector and metric are empty where nothing is abnormal at all. by_detector, alarms:
    of each detector of the ensemble, shape (rows, detectors)."""

    score: Floats
    alarm: Bools
    detector: list[str]
    metric: list[str]
    by_detector: Floats
    alarms: Bools

    def of(self, detectors: Sequence[int]) -> "Judged":
        """The same rows as judged by some of the detectors: those with these numbers."""
        score, alarms = self.by_detector[:, detectors], self.alarms[:, detectors]
        nothing = [""] * len(score)
        return Judged(score.max(axis=1), alarms.any(axis=1), nothing, nothing, score, alarms)


def _plain(score: Floats, alarm: Bools) -> Judged:
    nothing = [""] * len(score)
    return Judged(score, alarm, nothing, nothing, score[:, None], alarm[:, None])


def judge(ensemble: Ensemble, runs: Sequence[Rows]) -> list[Judged]:
    """The verdict on every row by what was known up to it.

    A row without a value, or one that repeats a time, is scored 0 and leaves the alarm as it is.
    """
    fleet = Fleet(ensemble, training={run.name: run.training for run in runs})
    found = [_unjudged(len(run.time), len(ensemble.names)) for run in runs]
    for place in range(max((len(run.time) for run in runs), default=0)):
        here = [number for number, run in enumerate(runs) if place < len(run.time)]
        verdicts = fleet.judge(_row(runs, here, place))
        at = {number: row for row, number in enumerate(verdicts.device.tolist())}
        for number in here:
            judged = found[number]
            row = at.get(number)
            detector = metric = ""
            if row is None:
                judged.alarm[place] = judged.alarm[place - 1] if place else False
                judged.alarms[place] = judged.alarms[place - 1] if place else False
            else:
                judged.score[place], judged.alarm[place] = verdicts.score[row], verdicts.alarm[row]
                judged.by_detector[place], judged.alarms[place] = verdicts.by_detector[row], verdicts.alarms[row]
                if verdicts.score[row] > 0:
                    detector = ensemble.names[int(verdicts.detector[row])]
                    metric = fleet.metrics(runs[number].name)[int(verdicts.metric[row])]
            judged.detector.append(detector)
            judged.metric.append(metric)
    return found


def always(run: Rows) -> Judged:
    """An alarm that never stops: what any figure is to be compared with."""
    rows = len(run.time)
    return _plain(np.ones(rows), np.ones(rows, np.bool_))


def plain_z_score(run: Rows, limit: float = 3.0) -> Judged:
    """The greatest distance of a metric from its mean over the training rows in their standard deviations; an alarm
    beyond `limit`. The method that textbooks begin with."""
    normal = run.value[: run.training]
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a metric without a training value has no mean
        away = np.abs(run.value - np.nanmean(normal, axis=0)) / np.nanstd(normal, axis=0)
    score = np.nan_to_num(away, nan=0.0, posinf=MOST).max(axis=1)
    return _plain(np.minimum(score, MOST), score > limit)


def _unjudged(rows: int, detectors: int) -> Judged:
    wide = (rows, detectors)
    return Judged(np.zeros(rows), np.zeros(rows, np.bool_), [], [], np.zeros(wide), np.zeros(wide, np.bool_))


def _row(runs: Sequence[Rows], here: list[int], place: int) -> Readings:
    """The row at `place` of the runs `here`."""
    device, metric, time, value = [], [], [], []
    names: dict[str, int] = {}
    for number in here:
        run = runs[number]
        for column in np.flatnonzero(np.isfinite(run.value[place])).tolist():
            device.append(number)
            metric.append(names.setdefault(run.metrics[column], len(names)))
            time.append(int(run.time[place]))
            value.append(float(run.value[place, column]))
    return Readings(
        devices=[run.name for run in runs],
        metrics=list(names),
        device=np.array(device, dtype=np.int64),
        metric=np.array(metric, dtype=np.int64),
        time=np.array(time, dtype=np.int64),
        value=np.array(value),
    )
