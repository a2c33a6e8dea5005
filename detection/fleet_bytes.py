"""A fleet as bytes and back, also for a version of the detectors that keeps other arrays.

    bytes of the header's length (4, big endian) | header, JSON | the arrays' own bytes, one after another

An array that a newer version does not know is left out; a detector that keeps arrays of other names, shapes or types
than those stored begins anew, and the others go on.
"""

import json
from collections.abc import Callable
from itertools import groupby
from typing import Any

import numpy as np

from detection.cohort import Cohort
from detection.detectors.detector import State
from detection.ensemble import Ensemble
from detection.fleet import Fleet

_FORMAT = 1


class UnknownFormatError(ValueError):
    """The bytes are of a later version, or no fleet at all."""


def dump(fleet: Fleet) -> bytes:
    """The state of every device, and their names."""
    header: dict[str, Any] = {
        "format": _FORMAT,
        "clock": fleet.clock,
        "steady_since": fleet.steady_since,
        "cohorts": [],
    }
    parts = []
    for cohort in fleet.cohorts.values():
        arrays = [(name, array.dtype.str, array.shape) for name, array in cohort.state.items()]
        header["cohorts"].append({"devices": cohort.devices, "columns": cohort.columns, "arrays": arrays})
        parts += [np.ascontiguousarray(array).tobytes() for array in cohort.state.values()]
    head = json.dumps(header, separators=(",", ":")).encode()
    return b"".join([len(head).to_bytes(4, "big"), head, *parts])


def load(ensemble: Ensemble, stored: bytes, told: Callable[[list[str]], None] = lambda _: None) -> Fleet:
    """The fleet that `dump` made the bytes of. `told` gets the names of the detectors that begin anew, if any do.

    Raises:
        UnknownFormatError: the bytes are not of a version that is known here.
    """
    try:
        start = 4 + int.from_bytes(stored[:4], "big")
        header = json.loads(stored[4:start])
        known = header["format"] == _FORMAT
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise UnknownFormatError(
            f"these {len(stored)} bytes are not the state of detectors as version {_FORMAT} stores it"
        )
    cohorts = []
    anew: set[str] = set()
    for cohort in header["cohorts"]:
        state: State = {}
        for name, kind, shape in cohort["arrays"]:
            count = int(np.prod(shape))
            # A copy, as what is read from bytes cannot be changed.
            state[name] = np.frombuffer(stored, dtype=kind, count=count, offset=start).reshape(shape).copy()
            start += count * np.dtype(kind).itemsize
        columns = [tuple(names) for names in cohort["columns"]]
        fitted = _fitted(ensemble, state, len(cohort["devices"]), len(columns[0]), anew)
        cohorts.append(Cohort(fitted, cohort["devices"], columns))
    if anew:
        told(sorted(anew))
    fleet = Fleet(ensemble, cohorts)
    fleet.clock, fleet.steady_since = header.get("clock", 0), header.get("steady_since", 0)
    return fleet


def _fitted(ensemble: Ensemble, stored: State, devices: int, metrics: int, anew: set[str]) -> State:
    fresh = ensemble.begin(devices, metrics)
    fitted: State = {}
    for detector, names in groupby(sorted(fresh), key=lambda name: name.split(".")[0] if "." in name else name):
        group = list(names)
        same = all(
            name in stored and stored[name].shape == fresh[name].shape and stored[name].dtype == fresh[name].dtype
            for name in group
        )
        if not same:
            anew.add(detector)
        fitted |= {name: (stored if same else fresh)[name] for name in group}
    return fitted
