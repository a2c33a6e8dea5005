"""Which detectors speak on which data: what a reading can tell depends on how often a device reports, and on whether
other metrics of it stand beside.

    fast   reports at least twice a minute: neighbouring readings are alike but for noise, so that noise is a measure
           for spikes, stuck values, slow drifts and noise itself
    slow   reports less often: neighbouring readings differ by what the machine does, and only its history tells what
           is unusual; of a single metric half a day of it at least, since most machines have a daily round
"""

import numpy as np

from detection.detectors.detector import Block, Bools

FAST_SECONDS = 30.0
HISTORY_SECONDS = 43_200.0
DECLARED_ROWS = 256
"""Fewer rows that are declared normal are no more than a start."""


def fast(block: Block) -> Bools:
    """Devices that report often, shape (n,)."""
    found: Bools = block.interval < FAST_SECONDS
    return found


def slow(block: Block) -> Bools:
    """Devices that report seldom, shape (n,)."""
    found: Bools = np.isfinite(block.interval) & ~fast(block)
    return found


def known_for_long(block: Block) -> Bools:
    """Devices that are known for half a day, shape (n,)."""
    found: Bools = block.history >= HISTORY_SECONDS
    return found


def several(block: Block) -> bool:
    """The devices of the block have more than one metric."""
    return block.value.shape[1] > 1


def declared(block: Block) -> Bools:
    """Devices of which somebody declared enough rows normal to believe that they show what is usual, shape (n,)."""
    found: Bools = block.declared >= DECLARED_ROWS
    return found
