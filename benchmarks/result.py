"""The result of the latency benchmark as one JSON-able document, and the aims it is held against."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.comparison import Comparison

DESTINATIONS = ("alerts", "alarms", "postgres", "influxdb", "delta")
MEMORY_AIM_MB = 6 * 1024

# Upper limits in milliseconds by destination and percentile.
LATENCY_AIMS: dict[str, dict[str, float]] = {
    "alerts": {"p95": 25, "p99": 100},
    "alarms": {"p95": 700},
    "postgres": {"p95": 3000},
    "influxdb": {"p95": 3000},
    "delta": {"p95": 20_000},
}


def losses(comparisons: Mapping[str, Comparison]) -> dict[str, Any]:
    """`lost` and `doubled` summed up, and by destination.

    An anomaly that is twice in the topic is not counted as doubled: the topic is written at least once, every reader
    behind it goes by the id. It stands in `anomaly_topic_repeats`.
    """
    doubled = {name: found.doubled for name, found in comparisons.items() if name != "alerts"}
    lost = {name: found.lost for name, found in comparisons.items()}
    return {
        "lost": sum(lost.values()),
        "doubled": sum(doubled.values()),
        "unexpected": sum(found.unexpected for found in comparisons.values()),
        "lost_by": lost,
        "doubled_by": doubled,
        "anomaly_topic_repeats": comparisons["alerts"].doubled if "alerts" in comparisons else None,
        "ids": {name: asdict(found) for name, found in comparisons.items()},
    }


def cpu(before: Mapping[str, float], after: Mapping[str, float], readings: int) -> dict[str, Any]:
    """CPU seconds a million readings, and the seconds of each process between two points in time."""
    used = {name: round(seconds - before.get(name, 0.0), 2) for name, seconds in sorted(after.items())}
    total = sum(used.values())
    each = round(total / readings * 1e6, 1) if readings else None
    return {"cpu_seconds_per_million": each, "cpu_seconds": round(total, 2), "cpu_seconds_by": used}


def lag(samples: list[tuple[int, int]], first: int, end: int) -> dict[str, Any]:
    """The highest lag of the counted part, and that of each of its quarters: a lag that grows shows in those."""
    counted = [(when, size) for when, size in samples if first <= when < end]
    quarters = [0, 0, 0, 0]
    for when, size in counted:
        number = (when - first) * 4 // (end - first)
        quarters[number] = max(quarters[number], size)
    sizes = [size for _, size in counted]
    return {
        "highest_lag": max(sizes, default=None),
        "lag": {
            "start": sizes[0] if sizes else None,
            "end": sizes[-1] if sizes else None,
            "highest_by_quarter": quarters,
        },
    }


def verdicts(result: Mapping[str, Any]) -> dict[str, bool]:
    """Which aims are met, by name, of the destinations that have samples. Percentiles of a part of what was due meet
    none: the slowest may be missing. How many alarms are due is not known (None)."""
    samples = result["samples"]
    complete = {name: each["of"] is None or each["seen"] == each["of"] for name, each in samples.items()}
    met = {
        f"{name} {point}": complete[name] and result[name][point] is not None and result[name][point] <= limit
        for name in samples
        for point, limit in LATENCY_AIMS[name].items()
    }
    met["nothing lost"] = result["lost"] == 0
    met["nothing doubled"] = result["doubled"] == 0
    met["memory"] = result["peak_rss_mb"] <= MEMORY_AIM_MB
    return met
