"""The cycle of a machine, found by trial over a grid of periods, and whether a shape added to it explains more.

    usual    y = level + slope t + a cos(w t) + b sin(w t) + noise
    shaped   the same + c s(t), s a ramp or a step that begins some panes ago
    gain     (least squares misfit of usual) - (that of shaped), each the least over all periods w

a generalised likelihood ratio (Kay, Fundamentals of Statistical Signal Processing II, 1998): in units of the noise's
variance it is about the square of a normal variable when no shape is there. What is known of the series may be as
short as ten panes: then many cycles fit it, and one that has the shape in it fits nearly as well as the shape does, so
the gain stays small until there is no such cycle. Between two periods of the grid the misfit is taken from the parabola
through three of them, and where that matters the period is refined.

Weights 0 stand for panes that are not known. Slope and swing are held near 0 by weak priors, which only keep the sums
regular. Times are counted in panes, 0 is the newest.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Bools, Floats, Integers
from detection.panes import PANES

SHORTEST, LONGEST = 20.0, 600.0
"""Panes that a cycle takes. Longer ones are curves within the memory, shorter ones are not told from noise."""
_FREQUENCIES = 80
_SPACING = (1 / SHORTEST - 1 / LONGEST) / (_FREQUENCIES - 1)
_REFINED = 2
_MIDDLE = PANES / 2
_SLOPE, _SWING = 0.06, 100.0
# 1 / variance of the four coefficients before anything is seen, in deviations of a pane's mean.
_PRIOR = np.array([1e-8, _SLOPE**-2, _SWING**-2, _SWING**-2])
_PAIRS = [(row, column) for row in range(4) for column in range(row, 4)]
_BEFORE = 6
_LEAST = 1e-3
_SHARED = 4
_AT_ONCE = 256
"""Series whose sums stand in a processor's cache."""


@dataclass(frozen=True)
class Misfits:
    """Of each series, shape (n,): the least sums of squares of a cycle alone and of one with a shape; `frequency`, in
    cycles a pane, where the latter is least; `begun`: panes since that shape began."""

    usual: Floats
    misfit: Floats
    frequency: Floats
    begun: Integers

    def where(self, chosen: NDArray[Any]) -> "Misfits":
        """Those of the chosen series."""
        return Misfits(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True)
class Fit:
    """coefficients: level, slope, a, b, and one of each shape that was given; shape (n, 4 and more). residual: shape
    (n, PANES), 0 where nothing is known."""

    frequency: Floats
    coefficients: Floats
    residual: Floats

    @property
    def misfit(self) -> Floats:
        """Sums of squares."""
        found: Floats = (self.residual**2).sum(axis=1)
        return found

    def where(self, chosen: NDArray[Any]) -> "Fit":
        """Those of the chosen series."""
        return Fit(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def with_some(self, chosen: Bools, others: "Fit") -> "Fit":
        """The same with `others` in place of the chosen ones."""
        whole = Fit(self.frequency.copy(), self.coefficients.copy(), self.residual.copy())
        for field in fields(Fit):
            getattr(whole, field.name)[chosen] = getattr(others, field.name)
        return whole


class Shapes:
    """Shapes that begin `begun` panes ago, and their products with every cycle of the grid."""

    def __init__(self, shape: Floats, begun: Integers) -> None:
        """shape: (PANES, shapes)."""
        self.shape, self.begun = shape, begun

    @cached_property
    def crossed(self) -> Floats:
        products = _TABLES.parts[:, None, :, :] * self.shape[:, :, None, None]
        return products.reshape(PANES, -1)


_TIMES = np.arange(-PANES + 1, 1, dtype=np.float64)
_RAMPS_BEGUN = np.array([3, 4, 6, 8, 10, 13, 16, 20, 25, 31, 38, 46, 55])
_STEPS_BEGUN = np.array([1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 26, 33, 42, 55])


def basis(times: Floats, frequency: Floats) -> Floats:
    """Level, slope, cosine and sine, on a new last axis; both arrays have one shape."""
    angle = 2 * np.pi * frequency * (times + _MIDDLE)
    return np.stack([np.ones_like(angle), times + _MIDDLE, np.cos(angle), np.sin(angle)], axis=-1)


def ramp(begun: Integers) -> Floats:
    """Ramps that began so many panes ago, shape (n, PANES)."""
    found: Floats = np.maximum(_TIMES + begun[:, None] - 0.5, 0.0)
    return found


def search(value: Floats, weight: Floats, shapes: Shapes | None = None) -> Misfits:
    """The best cycles of each series. value: in deviations of a pane's mean, 0 where it is not known, shape
    (n, PANES); weight: 1 or 0."""
    several = len(value)
    found = Misfits(np.empty(several), np.empty(several), np.empty(several), np.empty(several, np.int64))
    for rows, shared in _alike(weight):
        part = _search(value[rows], weight[rows[:1]] if shared else weight[rows], shapes)
        for field in fields(Misfits):
            getattr(found, field.name)[rows] = getattr(part, field.name)
    return found


def _alike(weight: Floats) -> Iterator[tuple[Integers, bool]]:
    """Rows to search together, and whether all of them have the same weights. Most series know all their panes, or as
    many as those that began with them: what depends on weights alone is computed once for all of these."""
    _, which, size = np.unique(np.packbits(weight > 0, axis=1), axis=0, return_inverse=True, return_counts=True)
    which = which.ravel()
    shared = size >= _SHARED
    groups = [np.flatnonzero(which == number) for number in np.flatnonzero(shared).tolist()]
    for number, rows in enumerate([*groups, np.flatnonzero(~shared[which])]):
        for first in range(0, len(rows), _AT_ONCE):
            yield rows[first : first + _AT_ONCE], number < len(groups)


def solve(value: Floats, weight: Floats, frequency: Floats, *shapes: Floats) -> Fit:
    """The least squares fit of one cycle to each series, with shapes (n, PANES) where they are given. value: 0 where it
    is not known."""
    parts = basis(np.broadcast_to(_TIMES, value.shape), frequency[:, None])
    parts = np.concatenate([parts, *(shape[:, :, None] for shape in shapes)], axis=2)
    weighted = parts * weight[:, :, None]
    squares = weighted.transpose(0, 2, 1) @ parts + np.diag(np.append(_PRIOR, [_LEAST] * len(shapes)))
    coefficients = np.linalg.solve(squares, weighted.transpose(0, 2, 1) @ value[:, :, None])
    return Fit(frequency, coefficients[:, :, 0], (value - (parts @ coefficients)[:, :, 0]) * weight)


def refine(value: Floats, weight: Floats, fit: Fit, *shapes: Floats) -> Fit:
    """The same with a frequency that fits better, by steps of Gauss and Newton: between two of the grid a cycle of a
    thousand deviations misses by more than a drift is large."""
    for _ in range(_REFINED):
        slope = _by_frequency(fit)
        step = solve(value, weight, fit.frequency, slope, *shapes).coefficients[:, 4]
        again = solve(value, weight, np.abs(fit.frequency + np.clip(step, -_SPACING, _SPACING)), *shapes)
        better = again.misfit < fit.misfit
        fit = fit.with_some(better, again.where(better))
    return fit


def _by_frequency(fit: Fit) -> Floats:
    """How the fitted cycle changes with its frequency."""
    _, time, cosine, sine = np.moveaxis(
        basis(np.broadcast_to(_TIMES, fit.residual.shape), fit.frequency[:, None]), 2, 0
    )
    found: Floats = 2 * np.pi * time * (fit.coefficients[:, 3:4] * cosine - fit.coefficients[:, 2:3] * sine)
    return found


class _Tables:
    frequency = np.linspace(1 / LONGEST, 1 / SHORTEST, _FREQUENCIES)

    @cached_property
    def parts(self) -> Floats:
        """The four parts of each cycle, (PANES, 4, frequencies)."""
        each = basis(*np.broadcast_arrays(_TIMES[:, None], self.frequency))
        return np.ascontiguousarray(each.transpose(0, 2, 1))

    @cached_property
    def squares(self) -> Floats:
        """Their products with one another, (PANES, 10 * frequencies)."""
        products = [self.parts[:, row] * self.parts[:, column] for row, column in _PAIRS]
        return np.ascontiguousarray(np.stack(products, axis=1).reshape(PANES, -1))


_TABLES = _Tables()


def _search(value: Floats, weight: Floats, shapes: Shapes | None) -> Misfits:
    """`weight`: of each row, or one row for all."""
    root = _root((weight @ _TABLES.squares).reshape(len(weight), len(_PAIRS), -1))
    with_value = (value @ _TABLES.parts.reshape(PANES, -1)).reshape(len(value), 4, -1)
    fitted = _forward(root, [with_value[:, part] for part in range(4)])
    usual = (value * value).sum(axis=1)[:, None] - _total(fitted, fitted)
    least, frequency = _least(usual)
    if shapes is None:
        return Misfits(least, least, frequency, np.zeros(len(value), np.int64))
    crossed = (weight @ shapes.crossed).reshape(len(weight), len(shapes.begun), 4, -1)
    size, product = weight @ shapes.shape**2, value @ shapes.shape
    before = np.stack([weight[:, : PANES - begun].sum(axis=1) for begun in shapes.begun.tolist()], axis=1)
    found = []
    for number in range(len(shapes.begun)):
        part = _forward(root, [crossed[:, number, row] for row in range(4)])
        left = size[:, number, None] - _total(part, part)
        told = (left > _LEAST) & (before[:, number, None] >= _BEFORE)
        along = product[:, number, None] - _total(part, fitted)
        found.append(_least(usual - along * along * np.where(told, 1 / np.maximum(left, _LEAST), 0.0)))
    misfit = np.stack([each for each, _ in found], axis=1)
    best, row = misfit.argmin(axis=1), np.arange(len(value))
    where = np.stack([each for _, each in found], axis=1)[row, best]
    return Misfits(least, misfit[row, best], where, shapes.begun[best])


def _root(squares: Floats) -> list[list[Floats]]:
    """The Cholesky factors of many matrices of 4 x 4, entry by entry, as numpy has none for such small ones that is
    as fast."""
    entry = {pair: squares[:, number] for number, pair in enumerate(_PAIRS)}
    root: list[list[Floats]] = []
    for row in range(4):
        done: list[Floats] = []
        for column in range(row):
            known = sum((done[place] * root[column][place] for place in range(column)), start=np.float64(0))
            done.append((entry[column, row] - known) / root[column][column])
        rest = entry[row, row] + _PRIOR[row] - sum((each * each for each in done), start=np.float64(0))
        done.append(np.sqrt(np.maximum(rest, 1e-9)))
        root.append(done)
    return root


def _forward(root: list[list[Floats]], right: list[Floats]) -> list[Floats]:
    solved: list[Floats] = []
    for row in range(4):
        known = sum((root[row][place] * solved[place] for place in range(row)), start=np.float64(0))
        solved.append((right[row] - known) / root[row][row])
    return solved


def _total(one: list[Floats], other: list[Floats]) -> Floats:
    found: Floats = sum((left * right for left, right in zip(one, other, strict=True)), start=np.float64(0))
    return found


def _least(misfit: Floats) -> tuple[Floats, Floats]:
    """The lowest point of the parabola about the least misfit of each row, and its frequency."""
    place = misfit.argmin(axis=1)
    middle, row = np.clip(place, 1, _FREQUENCIES - 2), np.arange(len(misfit))
    before, lowest, after = (misfit[row, middle + step] for step in (-1, 0, 1))
    bend = before - 2 * lowest + after
    inside = (place == middle) & (bend > 1e-9)
    bend = np.where(inside, bend, 1.0)
    depth = np.where(inside, (before - after) ** 2 / (8 * bend), 0.0)
    aside = np.where(inside, (before - after) / (2 * bend), 0.0)
    return np.maximum(misfit[row, place] - depth, 0.0), _TABLES.frequency[place] + aside * _SPACING


RAMPS = Shapes(ramp(_RAMPS_BEGUN).T, _RAMPS_BEGUN)
STEPS = Shapes((_TIMES[:, None] > -_STEPS_BEGUN).astype(np.float64), _STEPS_BEGUN)
