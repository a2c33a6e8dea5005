"""When an alarm of a device's level begins and ends: by the metrics that carry it, not by all of them.

begins   the score is beyond 1 for 3 messages, beyond 1.5 right after an alarm, falling back to 1 over 100 messages
ends     the metrics that reached 60 % of the peak are together below 0.75 of the limit for 2 messages; or the jump
         that was large (over 12 scales) has fallen below a fifth of its peak on each metric that carried it; or it has
         lasted 600 messages: that is the level now

After the last two the reference is learned anew from the next 100 messages.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.detectors.detector import Bools, Floats, State

_ON, _OFF_AFTER, _OFF = 3, 2, 0.75
_GUARD = 0.5
_CARRIES = 0.6
_RECOVERED, _LARGE = 0.2, 12.0
_ACCEPTED = 600
_ANEW = 100
_LONG_AGO = 10_000
_WIDENED = 0.25


@dataclass(frozen=True)
class Course:
    """How far each metric is from its reference, in its scales, shape (n, k): `slow` of the lasting level, `jump` of
    the last few readings."""

    slow: Floats
    jump: Floats


def begin(devices: int, metrics: int) -> dict[str, NDArray[Any]]:
    """Of devices that are not in alarm."""
    return {
        "alarm": np.zeros(devices, dtype=np.bool_),
        "on": np.zeros(devices, dtype=np.int16),
        "off": np.zeros(devices, dtype=np.int16),
        "lasting": np.zeros(devices, dtype=np.int32),
        "since": np.full(devices, _LONG_AGO, dtype=np.int32),
        "anew": np.zeros(devices, dtype=np.int16),
        "peak": np.zeros((devices, metrics)),
        "peak_jump": np.zeros((devices, metrics)),
    }


def norm(distances: Floats) -> Floats:
    """(sum of cubes)^(1/3) over the metrics, shape (n,)."""
    found: Floats = np.cbrt((distances**3).sum(axis=1))
    return found


def update(state: State, score: Floats, moved: Course, limit: Floats, judged: Bools) -> tuple[Bools, Bools]:
    """Which devices are in alarm, and of which the reference is to be learned anew, each of shape (n,)."""
    was = state["alarm"].copy()
    on, off, lasting, since = state["on"], state["off"], state["lasting"], state["since"]
    peak, peak_jump = state["peak"], state["peak_jump"]
    guarded = 1 + _GUARD * np.exp(-since / _ANEW)
    on[:] = np.where(judged & ~was & (score > guarded), on + 1, 0)
    starts = on >= _ON
    carried = (was | starts)[:, None]
    peak[:] = np.where(carried, np.maximum(np.where(was[:, None], peak, 0), moved.slow), 0)
    peak_jump[:] = np.where(carried, np.maximum(np.where(was[:, None], peak_jump, 0), moved.jump), 0)
    lasting[:] = np.where(was, lasting + 1, 0)
    bearing = peak >= _CARRIES * peak.max(axis=1, keepdims=True)
    together = norm(np.where(bearing, np.minimum(moved.slow, 10.0), 0)) / limit
    off[:] = np.where(was & (together < _OFF), off + 1, 0)
    jumping = peak_jump >= _CARRIES * peak_jump.max(axis=1, keepdims=True)
    fallen = (~jumping | (moved.jump < _RECOVERED * peak_jump)).all(axis=1)
    recovered = was & (peak_jump.max(axis=1) > _LARGE) & fallen
    accepted = was & (lasting > _ACCEPTED)
    if accepted.any():
        # A metric that can move that far for good wanders more than it seemed.
        away = state["slow"] - state["reference"]
        wider = np.sqrt(state["scale"] ** 2 + _WIDENED * away**2)
        state["scale"][:] = np.where(accepted[:, None], wider, state["scale"])
    stops = was & ((off >= _OFF_AFTER) | recovered | accepted)
    alarm = (was | starts) & ~stops
    since[:] = np.where(stops, 0, np.where(alarm, since, np.minimum(since + 1, _LONG_AGO)))
    state["alarm"][:] = alarm
    return alarm, recovered | accepted


def relearning(state: State, anew: Bools, alarm: Bools) -> tuple[Bools, Floats]:
    """Devices whose reference is the mean of the messages since it was begun anew, and the share of this message in
    that mean, both of shape (n,)."""
    left = state["anew"]
    left[anew] = _ANEW
    going = (left > 0) & ~alarm
    share = np.where(going, 1 / (_ANEW - left + 1.0), 0.0)
    left[:] = np.where(going, left - 1, left)
    return going, share
