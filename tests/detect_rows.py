"""Readings as the query `detect` hands them to its processor."""

import numpy as np
import pandas as pd

START = 1_793_707_200_000_000
SECOND = 1_000_000
HOUR = 3600 * SECOND
COLUMNS = ["device_id", "sensor_id", "metric", "event_micros", "value"]
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


def frame(part):
    return pd.DataFrame(part, columns=COLUMNS)
