"""Readings as the query `detect` hands them to its processor."""

import json
import struct

import numpy as np
import pandas as pd

START = 1_793_707_200_000_000
SECOND = 1_000_000
HOUR = 3600 * SECOND
WEEK = 168 * HOUR


def rows(devices=3, seconds=90, spikes=((1, 80),), start=START):
    """One reading a second and device, `spikes` (device, second) far outside, in order of time."""
    random = np.random.default_rng(5)
    found = []
    for second in range(seconds):
        for device in range(devices):
            value = 20.0 + random.normal() + (500.0 if (device, second) in spikes else 0.0)
            found.append((f"d{device}", f"d{device}-t", "t", start + second * SECOND + device, value))
    return found


def frame(part, clock=None):
    """As Packer.java packs them: one row, which a test divides as it likes by calling this more than once. Without
    readings `clock` says what time it is elsewhere."""
    numbers = [{}, {}, {}]
    records = b"".join(
        struct.pack(
            "<iiiqd", *(known.setdefault(name, len(known)) for known, name in zip(numbers, row, strict=False)), *row[3:]
        )
        for row in part
    )
    names = dict(zip(("devices", "sensors", "metrics"), map(list, numbers), strict=True))
    packed = pd.DataFrame({"names": [json.dumps(names).encode()], "records": [records]}, dtype=object)
    return packed.assign(clock=clock or int(np.median([row[3] for row in part])))
