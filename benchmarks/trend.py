"""The slope of a figure over time, how sure it is, and what that says: pure.

Lags, memory and numbers of files are saw-teeth: up while a batch is collected or a log grows, down when it is done. A
line through all samples would take each tooth for news, since neighbours are alike, and be far too sure of its slope.
So the samples are first put together to the highest of each window, which is longer than a tooth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
LEAST_WINDOWS = 4
DAY_SECONDS = 86_400.0
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trend:
    """A line through the highest of each window; `low` and `high` hold the slope (units a second) with 95 %."""

    slope: float
    low: float
    high: float
    level: float
    """The mean of the windows."""
    windows: int

    @property
    def rises(self) -> bool:
        """Sure to go up, by however little."""
        return self.low > 0

    def a_day_more(self) -> float:
        """How much more there is after 24 hours, if the line goes on."""
        return self.slope * DAY_SECONDS


def fit(seconds: Sequence[float], values: Sequence[float], window: float) -> Trend | None:
    """The trend of samples; None for fewer than four windows, whose line says nothing."""
    times, peaks = _peaks(np.asarray(seconds, dtype=np.float64), np.asarray(values, dtype=np.float64), window)
    count = len(times)
    if count < LEAST_WINDOWS:
        return None
    away = times - times.mean()
    spread = float((away**2).sum())
    slope = float((away * peaks).sum()) / spread
    residuals = peaks - peaks.mean() - slope * away
    freedom = count - 2
    error = float(np.sqrt((residuals**2).sum() / freedom / spread)) * _t_quantile(0.5 + CONFIDENCE / 2, freedom)
    return Trend(slope, slope - error, slope + error, float(peaks.mean()), count)


def grows(trend: Trend | None, rate: float, share: float) -> bool | None:
    """Does a lag grow: sure to rise, and by more than `share` of the rate at which its source grows? None: unknown."""
    return None if trend is None else trend.rises and trend.slope > share * rate


def is_flat(trend: Trend | None, tolerance: float) -> bool | None:
    """Flat: not sure to rise, or by less than `tolerance` of its level within 24 hours. None: unknown."""
    if trend is None:
        return None
    return not trend.rises or trend.a_day_more() <= tolerance * abs(trend.level)


def _peaks(seconds: Floats, values: Floats, window: float) -> tuple[Floats, Floats]:
    """The middle of each window that has samples, and the highest of them; a last window cut short is left out."""
    if not len(seconds):
        return seconds, values
    number = ((seconds - seconds[0]) // window).astype(np.int64)
    whole = (seconds[-1] - seconds[0]) // window
    kept = [each for each in np.unique(number).tolist() if each < max(whole, 1)]
    peaks = np.array([values[number == each].max() for each in kept])
    return seconds[0] + (np.array(kept, dtype=np.float64) + 0.5) * window, peaks


def _t_quantile(probability: float, freedom: int) -> float:
    """Student's t from the normal distribution (Abramowitz and Stegun 26.7.5): within 3 % from 3 degrees of freedom on;
    for 2 its own closed form."""
    if freedom <= 2:
        alpha = 4 * probability * (1 - probability)
        return float(2 * (probability - 0.5) * np.sqrt(2 / alpha))
    z = NormalDist().inv_cdf(probability)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return float(sum(term / freedom**power for power, term in enumerate(terms)))
