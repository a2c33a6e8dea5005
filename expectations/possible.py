"""What a metric's value can be at all, by nature or by any instrument, and the unit that its rule has.

The limits in contracts/limits.json say what is normal; beyond them lies an alarm. What is checked here lies much
further out: such a value was not measured.
"""

import json
from dataclasses import dataclass
from functools import cache

from contracts import avro

_LIMITS = avro.FOLDER.parent / "limits.json"
_SPANS = 10
"""Above its limit, a value may lie this many times as far as its limits are apart."""

# Nothing is colder than this, and amounts are not negative; what has no entry is limited by its rule alone.
_LEAST = {"°C": -273.15, "%": 0, "hPa": 0, "mm/s": 0, "pH": -2, "µS/cm": 0, "mg/l": 0, "NTU": 0}
_MOST = {"%": 100, "pH": 16, "dBm": 40}


@dataclass(frozen=True)
class Possible:
    """A metric's unit, and the least and the most that it can be in that unit."""

    unit: str
    least: float
    most: float


@cache
def by_metric() -> dict[str, Possible]:
    return {rule["metric"]: _widened(rule) for rule in json.loads(_LIMITS.read_text("utf-8"))}


def _widened(rule: dict[str, float | str]) -> Possible:
    unit, lower, upper = str(rule["unit"]), float(rule["lower"]), float(rule["upper"])
    far = _SPANS * (upper - lower)
    return Possible(unit, _LEAST.get(unit, lower - far), _MOST.get(unit, upper + far))
