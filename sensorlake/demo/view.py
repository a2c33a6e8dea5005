"""What the panel shows at one moment: plain values, no clients."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class View:
    """`first_alert_s` counts from the demo's start, `seconds` from the first reading sent. `lag`: messages
    sent that are not in the lake yet."""

    phase: str
    elapsed: float
    seconds: float
    services: dict[str, dict[str, Any]]
    queries: dict[str, dict[str, Any]]
    memory_mb: float
    readings_in: int = 0
    rate: float = 0.0
    broken: int = 0
    repeated: int = 0
    alerts: int = 0
    first_alert_s: float | None = None
    latency_ms: tuple[float | None, float | None, float | None] = (None, None, None)
    dead_letters: int = 0
    duplicates: int = 0
    delta_readings: int = 0
    delta_features: int = 0
    commits: int = 0
    freshness_s: float | None = None
    lag: int | None = None
    thresholds: str | None = None
    models: tuple[str, ...] = ()
    trouble: str | None = None
