"""The result of the throughput benchmark for people."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from benchmarks import conditions


def render(document: dict[str, Any]) -> RenderableType:
    load = document["load"]
    about = conditions.table(
        document,
        load=f"{load['sensors']:,} sensors, open loop; each step {load['warmup_seconds']:g} s before and "
        f"{load['seconds']:g} s counted",
        queries=", ".join(load["queries"]),
        memory=f"MB at most: {conditions.parts(document['peak_rss_mb_by'])}",
    )
    steps = Table(title="What is not worked off, % of what comes in, with 95 % confidence (!: grows)")
    steps.title_justify = "left"
    for name in ("messages/s", *load["queries"], "caught up s", "sustained"):
        steps.add_column(name, justify="left" if name == "sustained" else "right")
    for step in document["steps"]:
        cells = [_growth(step["lag"].get(name)) for name in load["queries"]]
        drained = "not in time" if step["drain_seconds"] is None else f"{step['drain_seconds']:g}"
        steps.add_row(
            f"{step['rate']:,.0f}",
            *cells,
            drained,
            "; ".join(each for each in step["reasons"] if not each.startswith("the lag")) or _verdict(step),
        )
    highest, aim = document["highest_sustained"], document["aims"]["messages a second"]
    met = "met" if document["aims_met"]["messages a second"] else "not met"
    outcome = f"highest sustained: {highest or 0:,.0f} messages a second ({document['ended']}); aim {aim:,}: {met}"
    return Group(about, steps, outcome)


def panels(document: dict[str, Any]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """By query: its highest lag over the rate."""
    steps = sorted(document["steps"], key=lambda step: float(step["rate"]))
    return {
        name: {
            "highest lag": [
                (step["rate"], step["lag"][name]["highest"])
                for step in steps
                if step["lag"].get(name, {}).get("highest") is not None
            ]
        }
        for name in document["load"]["queries"]
    }


def _growth(lag: dict[str, Any] | None) -> str:
    """How much of what comes in is not worked off, in percent."""
    if lag is None or lag["slope"] is None or not lag["rate"]:
        return "-"
    growth, error = 100 * lag["slope"] / lag["rate"], 100 * (lag["high"] - lag["slope"]) / lag["rate"]
    return f"{growth:+.1f} ±{error:.1f}" + (" !" if lag["grows"] else "")


def _verdict(step: dict[str, Any]) -> str:
    return "yes" if step["sustained"] else "no"
