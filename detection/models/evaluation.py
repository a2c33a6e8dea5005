"""How good scores are, against labels: figures at the alarm threshold, areas under curves, and whether one scorer is
better than another beyond chance.

    ROC-AUC      the chance that an abnormal row scores higher than a normal one, ties half (Mann and Whitney 1947)
    PR-AUC       average precision: sum over thresholds of (R_i - R_{i-1}) P_i
    interval     percentiles of the difference over resampled groups (Efron, bootstrap, 1979). Rows of one device follow
                 one another and are no independent witnesses, so whole devices are drawn, not rows.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Bools, Floats, Integers

CURVE_POINTS = 200
ALL = "all"


@dataclass(frozen=True)
class Curves:
    """Points of the PR and of the ROC curve, each from the highest threshold to the lowest."""

    recall: Floats
    precision: Floats
    false_alarm_rate: Floats
    detection_rate: Floats


@dataclass(frozen=True)
class Figures:
    """`kind`: of the abnormal rows that were looked at, all normal ones beside them. NaN: not defined, as there was no
    such row. false_alarm_rate: of the normal rows, the share at or above the threshold."""

    kind: str
    rows: int
    abnormal: int
    threshold: float
    roc_auc: float
    pr_auc: float
    precision: float
    recall: float
    f1: float
    false_alarm_rate: float


@dataclass(frozen=True)
class Interval:
    """A difference, and between which figures it lies with the confidence asked for."""

    difference: float
    low: float
    high: float


def figures(score: Floats, label: Bools, threshold: float, kind: str = ALL) -> Figures:
    """score: higher is more abnormal, finite, shape (rows,). label: is the row abnormal."""
    alarm = score >= threshold
    hits, alarms, abnormal = int((alarm & label).sum()), int(alarm.sum()), int(label.sum())
    precision, recall = _share(hits, alarms), _share(hits, abnormal)
    return Figures(
        kind=kind,
        rows=len(score),
        abnormal=abnormal,
        threshold=threshold,
        roc_auc=roc_auc(score, label),
        pr_auc=average_precision(score, label),
        precision=precision,
        recall=recall,
        f1=_share(2 * hits, alarms + abnormal),
        false_alarm_rate=_share(alarms - hits, len(score) - abnormal),
    )


def by_kind(score: Floats, label: Bools, kind: NDArray[np.str_], threshold: float) -> list[Figures]:
    """The figures over all rows, then those of each kind of abnormal row, by name."""
    found = [figures(score, label, threshold)]
    for name in sorted(set(kind[label].tolist())):
        chosen = ~label | (kind == name)
        found.append(figures(score[chosen], label[chosen], threshold, name))
    return found


def roc_auc(score: Floats, label: Bools) -> float:
    abnormal = int(label.sum())
    normal = len(label) - abnormal
    if not abnormal or not normal:
        return float("nan")
    _, place, size = np.unique(score, return_inverse=True, return_counts=True)
    rank = np.cumsum(size) - (size - 1) / 2
    return float((rank[place][label].sum() - abnormal * (abnormal + 1) / 2) / (abnormal * normal))


def average_precision(score: Floats, label: Bools) -> float:
    hits, alarms, _ = _steps(score, label)
    if not label.any():
        return float("nan")
    return float((np.diff(hits, prepend=0) * hits / alarms).sum() / label.sum())


def curves(score: Floats, label: Bools) -> Curves:
    """Both curves, with `CURVE_POINTS` points at most."""
    hits, alarms, _ = _steps(score, label)
    chosen = np.unique(np.linspace(0, max(len(hits) - 1, 0), min(CURVE_POINTS, len(hits))).astype(np.int64))
    hits, alarms = hits[chosen], alarms[chosen]
    abnormal, normal = max(int(label.sum()), 1), max(int((~label).sum()), 1)
    recall: Floats = hits / abnormal
    return Curves(recall, hits / alarms, (alarms - hits) / normal, recall)


def compare(
    one: Floats,
    other: Floats,
    label: Bools,
    group: Integers,
    *,
    seed: int = 0,
    rounds: int = 300,
    confidence: float = 0.95,
    figure: Callable[[Floats, Bools], float] = average_precision,
) -> Interval:
    """By how much `one` is better than `other` on the same rows, by a `figure`; positive where it is.

    group: the device of each row, 0, 1, ...; rounds: how often devices are drawn anew. A round
    without an abnormal row says nothing and is left out.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(int(group.max(initial=-1)) + 2))
    members = [order[first:last] for first, last in itertools.pairwise(bounds) if last > first]
    found = []
    for _ in range(rounds if members else 0):
        rows = np.concatenate([members[place] for place in rng.integers(len(members), size=len(members))])
        difference = figure(one[rows], label[rows]) - figure(other[rows], label[rows])
        if np.isfinite(difference):
            found.append(difference)
    whole = figure(one, label) - figure(other, label)
    if not found:
        return Interval(whole, float("-inf"), float("inf"))
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(whole), float(low), float(high))


def beats_chance(
    score: Floats, label: Bools, group: Integers, *, seed: int = 0, rounds: int = 300, confidence: float = 0.95
) -> Interval:
    """By how much the ROC-AUC exceeds that of drawing lots, 0.5."""
    lots = np.zeros_like(score)
    return compare(score, lots, label, group, seed=seed, rounds=rounds, confidence=confidence, figure=roc_auc)


def _steps(score: Floats, label: Bools) -> tuple[Floats, Floats, Floats]:
    """(hits, alarms, threshold) at each different score, from the highest down."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(ordered) else np.zeros(0, np.int64)
    hits = np.cumsum(label[order])[last].astype(np.float64)
    return hits, last + 1.0, ordered[last]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
