"""The search for the highest rate that is sustained: doubling until one is not, then halving the rest; pure."""

from dataclasses import dataclass


@dataclass
class RateSearch:
    """Ask `next()` for a rate, try it, `note()` what came of it.

    Args:
        first: the rate to begin with. most_steps: how many are tried at most. nearness: the search has ended when the
        lowest rate that was too high is no more than this share above the highest that was sustained. ceiling: no rate
        above this one is tried.
    """

    first: float
    most_steps: int
    nearness: float = 0.1
    ceiling: float = 1e6
    steps: int = 0
    sustained: float | None = None
    too_high: float | None = None

    def next(self) -> float | None:
        """The rate to try now; None when the search has ended."""
        if self.steps >= self.most_steps:
            return None
        if self.steps == 0:
            return self.first
        if self.too_high is None and self.sustained is not None:
            return None if self.sustained >= self.ceiling else min(2 * self.sustained, self.ceiling)
        if self.sustained is None and self.too_high is not None:
            return round(self.too_high / 2) if self.too_high >= 2 else None
        if self.is_found:
            return None
        return round(((self.sustained or 0) + (self.too_high or 0)) / 2)

    def note(self, rate: float, is_sustained: bool) -> None:
        self.steps += 1
        if is_sustained:
            self.sustained = max(rate, self.sustained or 0.0)
        else:
            self.too_high = min(rate, self.too_high or rate)

    @property
    def is_found(self) -> bool:
        """The two borders are near enough to each other, or the ceiling was sustained."""
        if self.sustained is None:
            return False
        if self.too_high is None:
            return self.sustained >= self.ceiling
        return self.too_high <= self.sustained * (1 + self.nearness)
