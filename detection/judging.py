"""How good verdicts are against labels, over the runs of one set together.

Only rows after a run's training rows count. An episode is a stretch of rows that are labelled abnormal, or of rows in
alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detection.detectors.detector import Bools, Floats
from detection.models import evaluation
from detection.models.evaluation import Curves


@dataclass(frozen=True)
class Verdict:
    """The rows of one run that count: score, alarm and label of each."""

    score: Floats
    alarm: Bools
    label: Bools


@dataclass(frozen=True)
class Figures:
    """f1; false_alarm_rate: share of normal rows in alarm; missed: share of abnormal rows not in alarm; both in
    0 .. 1. found: episodes with an alarm in them, of `episodes`; delay: rows from the begin of a found one to its
    first alarm, median; false_episodes: stretches of alarm in normal rows alone. NaN: not defined, as there was no
    such row."""

    f1: float
    false_alarm_rate: float
    missed: float
    average_precision: float
    roc_auc: float
    episodes: int
    found: int
    delay: float
    false_episodes: int


def figures(runs: Sequence[Verdict]) -> Figures:
    """The figures of all rows together."""
    whole = joined(runs)
    hits = int((whole.alarm & whole.label).sum())
    alarms, abnormal = int(whole.alarm.sum()), int(whole.label.sum())
    delays = [delay for run in runs for delay in _delays(run)]
    found = [delay for delay in delays if delay is not None]
    return Figures(
        f1=_share(2 * hits, alarms + abnormal),
        false_alarm_rate=_share(alarms - hits, len(whole.label) - abnormal),
        missed=_share(abnormal - hits, abnormal),
        average_precision=evaluation.average_precision(whole.score, whole.label),
        roc_auc=evaluation.roc_auc(whole.score, whole.label),
        episodes=len(delays),
        found=len(found),
        delay=float(np.median(found)) if found else float("nan"),
        false_episodes=sum(not run.label[first:end].any() for run in runs for first, end in stretches(run.alarm)),
    )


def curves(runs: Sequence[Verdict]) -> Curves:
    """Of all rows together."""
    whole = joined(runs)
    return evaluation.curves(whole.score, whole.label)


def joined(runs: Sequence[Verdict]) -> Verdict:
    """The rows of all runs, one run after the other."""
    score, alarm, label = (np.concatenate([getattr(run, name) for run in runs]) for name in ("score", "alarm", "label"))
    return Verdict(score, alarm, label)


def stretches(rows: Bools) -> list[tuple[int, int]]:
    """(first, end) of each stretch of true rows; `end` is the row after its last.

    >>> stretches(np.array([True, False, True, True]))
    [(0, 1), (2, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], rows, [False]]).astype(np.int8)))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def _delays(run: Verdict) -> list[int | None]:
    """Rows to the first alarm within each abnormal stretch; None where there is none."""
    alarms = [np.flatnonzero(run.alarm[first:end]) for first, end in stretches(run.label)]
    return [int(places[0]) if len(places) else None for places in alarms]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
