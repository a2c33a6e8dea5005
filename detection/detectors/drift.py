"""Drift: a series that leaves its own cycle by climbing or falling, slowly.

    gain = misfit of the best cycle - misfit of the best cycle with a ramp, in variances of the noise
    raw  = gain / (roughness^2 (1 + r) / (1 - r))

over means of ten readings, the last eighty of them (`detection.panes`); the cycles are those of `detection.cycle`.
Roughness is the variance that remains beside the ramp, 1 of white noise about a sine, and r the correlation of one
remainder with the next: where no cycle describes a series well, a ramp must explain more. The limit is 30, the square
of some five normal deviations, or half more than the largest raw score of the series' own past, known 40 to 80 panes
late, so that a drift does not raise the limit that it is judged by. While the cycle that was fitted last foretells
what comes, nothing is fitted.

Fires on ramps of a few deviations of the noise, whatever cycle they climb on, and once on a cycle that becomes another
one. Each alarm raises the limit by half, which fades by half in a day. It ends when the series comes back, or after 50
panes: that is the usual then, and the cycle is learned anew. It needs ten panes to know anything; against a cycle of
which it has seen a small part only it fails on ramps that may as well be the rest of it. It fails, too, on what climbs
as slowly as the series wanders by itself. A step is no drift: the cycle is learned anew from it on.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detection import cycle, panes, regime
from detection.cycle import RAMPS, STEPS, Fit, Misfits
from detection.detectors.detector import Block, Bools, Floats, Found, Integers, State
from detection.panes import PANES

_LIMIT, _ABOVE = 30.0, 1.5
_RAISED = 1.15
_STILL, _UNSURE = 0.4, 0.4
_BACK = 5.0
_ACCEPTED = 50
_BEFORE = 2
_SOON = 12
_LONG_AGO = 10_000
_ENOUGH = 10
_PARAMETERS = 6
_STEP_IS_CLEARER = 10.0
_BIAS, _SURPRISE = 1 / 4, 1 / 8
_BIASED, _SURPRISED = 1.6, 3.5
_FARTHEST = 30.0
_STRETCH = 40
_FADING = 0.5 ** (1 / 8640)
_PER_MEAN = panes.OF**-0.5
_RESOLVED = 0.3
_CONSTANT = 1e-9
_NEVER = -1


@dataclass(frozen=True)
class Series:
    """Some series: row of the block and column of each, the number of the pane that closed, its mean, and `unit`, the
    deviation that the noise gives such a mean; 0 of a constant series."""

    row: Integers
    column: Integers
    number: Integers
    mean: Floats
    unit: Floats

    @classmethod
    def of(cls, block: Block, closed: panes.Closed) -> "Series":
        metrics = block.value.shape[1]
        row, column = np.repeat(closed.device, metrics), np.tile(np.arange(metrics), len(closed.device))
        noise = np.maximum(_PER_MEAN * block.deviation[row, column], _RESOLVED * block.resolution[row, column])
        varies = noise > _CONSTANT * np.abs(block.level[row, column])
        return cls(row, column, np.repeat(closed.number, metrics), closed.mean.ravel(), np.where(varies, noise, 0.0))

    @property
    def at(self) -> tuple[Integers, Integers]:
        """Where their state stands."""
        return self.row, self.column

    def where(self, chosen: NDArray[Any]) -> "Series":
        """The chosen ones."""
        return Series(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Seen:
    """What is remembered of some series, in deviations of the noise about `centre`, shape (n, PANES); `weight` is 0
    where nothing is known, and `count` the number of known panes."""

    centre: Floats
    value: Floats
    weight: Floats
    count: Integers

    def where(self, chosen: NDArray[Any]) -> "Seen":
        """That of the chosen series."""
        return Seen(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


class Drift:
    """State a series, beside that of `panes`: `model`: centre, unit, frequency, level, slope, a, b of the cycle fitted
    last; `fitted`: number of the pane when it was, -1 without one; `bias`, `surprise`: weighted means of how far the
    panes since were from it, and of the squares; `onset`: pane that the drift began at, -1 without one; `ended`: that
    the last one ended at; `most`: largest raw score of its past; `stretch`, `stretch_before`: those that do not count
    yet; `score`: the last one."""

    name: ClassVar[str] = "drift"
    per_device: ClassVar[bool] = False
    momentary: ClassVar[bool] = False

    def begin(self, devices: int, metrics: int) -> dict[str, NDArray[Any]]:
        shape = (devices, metrics)
        names = ("bias", "surprise", "most", "stretch", "stretch_before", "score")
        return {
            **panes.begin(devices, metrics),
            **{name: np.zeros(shape) for name in names},
            "model": np.zeros((*shape, 7)),
            "fitted": np.full(shape, _NEVER, dtype=np.int64),
            "onset": np.full(shape, _NEVER, dtype=np.int64),
            "ended": np.full(shape, -_LONG_AGO, dtype=np.int64),
        }

    def update(self, state: State, block: Block) -> Found:
        if not regime.fast(block).any():
            return Found.nothing(block)
        closed, anew = panes.take(state, block)
        if len(anew):
            state["fitted"][anew], state["onset"][anew], state["score"][anew] = _NEVER, _NEVER, 0.0
            state["ended"][anew] = -_LONG_AGO
        if len(closed.device):
            self._close(state, Series.of(block, closed), block)
        score = state["score"].copy()
        return Found(score, (state["onset"] != _NEVER).any(axis=1), score)

    def _close(self, state: State, series: Series, block: Block) -> None:
        _roll(state, series)
        strange = _unforetold(state, series)
        onset = state["onset"][series.at]
        drifting = onset != _NEVER
        accepted = drifting & (series.number - onset >= _ACCEPTED)
        _end(state, series.where(accepted), np.zeros((int(accepted.sum()), PANES), np.bool_))
        due = np.isfinite(series.mean) & (series.unit > 0) & ~accepted
        due &= drifting | strange | (state["fitted"][series.at] == _NEVER)
        if regime.several(block):
            # Of what was declared normal `level` knows how its metrics move together.
            due &= ~regime.declared(block)[series.row]
        if due.any():
            self._fit(state, series.where(due), block.training)

    def _fit(self, state: State, series: Series, training: Bools) -> None:
        seen = _remembered(state, series)
        enough = seen.count >= _ENOUGH
        series, seen = series.where(enough), seen.where(enough)
        if not len(series.row):
            return
        fit = cycle.solve(seen.value, seen.weight, cycle.search(seen.value, seen.weight).frequency)
        drifting = state["onset"][series.at] != _NEVER
        # A ramp cannot gain more than there is misfit.
        least = np.where(drifting, -np.inf, seen.count + _UNSURE * _limit(state, series))
        asked = fit.misfit > least
        if asked.any():
            some = seen.where(asked)
            fit = fit.with_some(asked, cycle.refine(some.value, some.weight, fit.where(asked)))
            asked &= fit.misfit > least
        _adopt(state, series, seen, fit)
        if asked.any():
            _look_for_ramps(state, series.where(asked), seen.where(asked), fit.misfit[asked], training)


def _look_for_ramps(state: State, series: Series, seen: Seen, misfit: Floats, training: Bools) -> None:
    limit = _limit(state, series)
    drifting, trained = state["onset"][series.at] != _NEVER, ~training[series.row]
    ramps = cycle.search(seen.value, seen.weight, RAMPS)
    shape = cycle.ramp(ramps.begun)
    shaped = cycle.solve(seen.value, seen.weight, ramps.frequency, shape)
    shaped = cycle.refine(seen.value, seen.weight, shaped, shape)
    remainder = shaped.residual
    raw = np.maximum(misfit - shaped.misfit, 0.0) / _noise(remainder, seen.count)
    # A series that does not find back to its cycle has another one.
    ended = series.number - state["ended"][series.at]
    changed = ~drifting & (raw > limit) & (ended <= _SOON)
    torn = ~drifting & ~changed & ((raw > limit) | (ramps.misfit > seen.count + limit))
    stepped, since = _steps(seen, ramps, limit, torn)
    stepped, since = stepped | changed, np.where(changed, ended, since)
    goes_on = drifting & (raw > _STILL * limit) & (np.abs(remainder[:, -1]) < _BACK)
    begins = ~drifting & ~stepped & trained & (raw > limit)
    ends = drifting & ~goes_on
    state["score"][series.at] = np.where(stepped | ends, 0.0, raw / limit)
    # The fit that was adopted just now is no cycle to foretell by.
    doubtful = begins | goes_on | (raw > _UNSURE * limit)
    state["fitted"][series.at] = np.where(doubtful, _NEVER, state["fitted"][series.at])
    usual = ~drifting & ~begins & ~stepped
    for name, chosen, height in (
        ("stretch", usual & trained, np.minimum(raw, limit)),
        ("most", usual & ~trained, raw),
        ("most", begins, limit * _RAISED / _ABOVE),
    ):
        state[name][series.at] = np.where(chosen, np.maximum(state[name][series.at], height), state[name][series.at])
    age = np.arange(PANES - 1, -1, -1)
    began = series.number - ramps.begun + 1
    onset = np.where(begins, began, state["onset"][series.at])
    onset = np.where(goes_on, np.minimum(onset, began), onset)
    state["onset"][series.at] = onset
    state["ended"][series.at] = np.where(ends, series.number, state["ended"][series.at])
    _end(state, series.where(ends), age > (series.number - onset + _BEFORE)[ends, None])
    _end(state, series.where(stepped), age < since[stepped, None])


def _steps(seen: Seen, ramps: Misfits, limit: Floats, asked: Bools) -> tuple[Bools, Integers]:
    """Where a step explains more than a ramp does, and the panes since it."""
    found, since = asked.copy(), np.zeros(len(asked), np.int64)
    if asked.any():
        some, ramps = seen.where(asked), ramps.where(asked)
        steps = cycle.search(some.value, some.weight, STEPS)
        # What began while nothing was known, as right after a spike, was not seen to climb.
        place = np.clip(PANES - ramps.begun[:, None] + np.arange(-1, 3), 0, PANES - 1)
        climbing = np.take_along_axis(some.weight, place, axis=1).all(axis=1)
        clearer = np.where(climbing, _STEP_IS_CLEARER, -_STEP_IS_CLEARER)
        found[asked] = (steps.usual - steps.misfit > limit[asked]) & (steps.misfit < ramps.misfit - clearer)
        since[asked] = steps.begun
    return found, since


def _end(state: State, series: Series, kept: Bools) -> None:
    """Forget the panes that are not kept, shape (n, PANES), and what was made of them."""
    panes.forget(state, series.row, series.column, series.number, kept)
    state["onset"][series.at] = state["fitted"][series.at] = _NEVER
    state["score"][series.at] = 0.0


def _adopt(state: State, series: Series, seen: Seen, fit: Fit) -> None:
    """The next panes are foretold by this cycle."""
    unit = series.unit * np.sqrt(_roughness(fit.residual, seen.count))
    coefficients = fit.coefficients * (series.unit / unit)[:, None]
    state["model"][series.at] = np.column_stack([seen.centre, unit, fit.frequency, coefficients])
    state["fitted"][series.at], state["score"][series.at] = series.number, 0.0
    state["bias"][series.at], state["surprise"][series.at] = 0.0, 1.0


def _unforetold(state: State, series: Series) -> Bools:
    """Whether the panes have been other than the last fit says."""
    fitted, model = state["fitted"][series.at], state["model"][series.at]
    since = series.number - fitted
    fitted = np.where(since > PANES, _NEVER, fitted)
    foretold = (cycle.basis(since.astype(np.float64), model[:, 2]) * model[:, 3:]).sum(axis=1)
    away = np.clip((series.mean - model[:, 0]) / model[:, 1] - foretold, -_FARTHEST, _FARTHEST)
    known = np.isfinite(away) & (fitted != _NEVER)
    bias, surprise = state["bias"][series.at], state["surprise"][series.at]
    bias = np.where(known, bias + _BIAS * (away - bias), bias)
    surprise = np.where(known, surprise + _SURPRISE * (away * away - surprise), surprise)
    state["fitted"][series.at], state["bias"][series.at], state["surprise"][series.at] = fitted, bias, surprise
    found: Bools = (np.abs(bias) > _BIASED) | (surprise > _SURPRISED)
    return found


def _remembered(state: State, series: Series) -> Seen:
    mean = panes.in_order(state, series.row, series.column, series.number)
    known = np.isfinite(mean)
    count = known.sum(axis=1)
    centre = np.where(known, mean, 0.0).sum(axis=1) / np.maximum(count, 1)
    value = np.where(known, (mean - centre[:, None]) / series.unit[:, None], 0.0)
    return Seen(centre, value, known.astype(np.float64), count)


def _limit(state: State, series: Series) -> Floats:
    found: Floats = np.maximum(_LIMIT, _ABOVE * state["most"][series.at])
    return found


def _roughness(residual: Floats, count: Integers) -> Floats:
    """Variance that remains, 1 where it may be that of white noise by chance."""
    free = np.maximum(count - _PARAMETERS, 1)
    found: Floats = np.maximum((residual**2).sum(axis=1) / (free + np.sqrt(2 * free)), 1.0)
    return found


def _noise(residual: Floats, count: Integers) -> Floats:
    """Variance of the noise as a ramp meets it. What remains beyond white noise is a sign of wandering, which is the
    larger the longer it lasts: it counts twice, and more where a remainder is like the one before."""
    alike = (residual[:, 1:] * residual[:, :-1]).sum(axis=1) / np.maximum((residual**2).sum(axis=1), 1e-12)
    alike = np.clip(alike - 1 / np.sqrt(np.maximum(count, 1)), 0.0, 0.9)
    found: Floats = _roughness(residual, count) ** 2 * (1 + alike) / (1 - alike)
    return found


def _roll(state: State, series: Series) -> None:
    """Where a stretch is over the one before it counts from now on."""
    state["most"][series.at] *= _FADING
    over = series.where(series.number % _STRETCH == 0)
    most, before, now = (state[name] for name in ("most", "stretch_before", "stretch"))
    most[over.at] = np.maximum(most[over.at], before[over.at])
    before[over.at], now[over.at] = now[over.at], 0.0
