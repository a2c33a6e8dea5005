"""Percentiles as the demo shows them."""

from collections.abc import Sequence

import numpy as np


def percentiles(values: Sequence[float] | np.ndarray, *ranks: int, digits: int = 1) -> dict[str, float | None]:
    """`{"p50": ..., "p95": ...}`; None where there is no value to speak of."""
    if len(values) == 0:
        return {f"p{rank}": None for rank in ranks}
    found = np.percentile(np.asarray(values, dtype=float), ranks)
    return {f"p{rank}": round(float(value), digits) for rank, value in zip(ranks, found, strict=True)}


def shown(value: float | None, unit: str = "") -> str:
    """A number for people: thousands separated, `-` for none."""
    if value is None:
        return "-"
    text = f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:,.1f}"
    return f"{text} {unit}".rstrip()
