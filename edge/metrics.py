"""What the simulated sensors measure: levels, swings and noise, in the units of `contracts/limits.json`."""

from dataclasses import dataclass

from edge.shapes import Profile


@dataclass(frozen=True)
class SimulatedMetric:
    """Ranges are (lowest, highest) over the sensors; a normal value stays inside the limits of the metric.

    `floor` and `ceiling` are what a working sensor can report at all. `spike_above` is how far beyond the upper limit a
    spike goes, `spike_below` how far beyond the lower one; None where no value beyond that limit exists. `share` is the
    part of the fleet that measures it.
    """

    name: str
    level: tuple[float, float]
    daily_swing: tuple[float, float]
    cycle_swing: tuple[float, float]
    noise: tuple[float, float]
    profile: Profile
    decimals: int
    floor: float
    ceiling: float
    spike_above: tuple[float, float]
    spike_below: tuple[float, float] | None
    share: float


METRICS = (
    SimulatedMetric(
        "temperature", (18, 45), (1, 4), (0.2, 1), (0.05, 0.3), Profile.WEATHER, 2, -60, 200, (5, 60), (3, 30), 0.35
    ),
    SimulatedMetric(
        "humidity", (40, 60), (2, 8), (0.5, 1.5), (0.2, 0.8), Profile.DAMP, 1, 0, 100, (1, 5), (1, 5), 0.15
    ),
    SimulatedMetric(
        "pressure",
        (995, 1025),
        (0.3, 1),
        (0.1, 0.4),
        (0.05, 0.2),
        Profile.WEATHER,
        2,
        300,
        1300,
        (5, 100),
        (5, 200),
        0.1,
    ),
    SimulatedMetric(
        "vibration", (1, 2.6), (0.1, 0.4), (0.05, 0.15), (0.02, 0.08), Profile.WORKDAY, 3, 0, 50, (0.5, 12), None, 0.15
    ),
    SimulatedMetric(
        "current", (8, 20), (1, 4), (0.2, 1), (0.05, 0.3), Profile.WORKDAY, 2, 0, 100, (1, 30), None, 0.125
    ),
    SimulatedMetric(
        "power", (4, 13), (0.5, 2.5), (0.1, 0.6), (0.03, 0.2), Profile.WORKDAY, 3, 0, 70, (1, 20), None, 0.125
    ),
)
