"""Random numbers that depend on (seed, stream, index) alone.

A generator with a state would give other values when the same run is cut into other blocks, for example because the
machine was busy; with these, message i of a seed is always the same.
"""

import numpy as np
from numpy.typing import NDArray

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def _hash(seed: int, stream: int, index: NDArray[np.int64]) -> NDArray[np.uint64]:
    """SplitMix64 (Steele, Lea, Flood 2014) of a counter that starts at a place of its own for each seed and stream."""
    origin = _mix((_mix((seed * GOLDEN) & MASK) + (stream + 1) * GOLDEN) & MASK)
    z = index.astype(np.uint64) * np.uint64(GOLDEN) + np.uint64(origin)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def normal(seed: int, stream: int, index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Standard normal numbers, one for each index (Box and Muller 1958); never beyond 6.7."""
    bits = _hash(seed, stream, index)
    radius = ((bits >> np.uint64(32)).astype(np.float64) + 1) / 2**32
    angle = (bits & np.uint64(0xFFFFFFFF)).astype(np.float64) / 2**32
    numbers: NDArray[np.float64] = np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle)
    return numbers
