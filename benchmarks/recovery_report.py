"""The result of the recovery benchmark for people."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from benchmarks import conditions

_POINTS = ("p50", "p95", "p99", "max")


def render(document: dict[str, Any]) -> RenderableType:
    load = document["load"]
    about = conditions.table(
        document,
        load=f"{load['rate']:g} messages/s of {load['sensors']:,} sensors, {load['before_seconds']:g} s before the "
        f"stream is killed and {load['after_seconds']:g} s after it",
        queries=", ".join(load["queries"]),
    )
    alerts = Table("alerts, ms", *_POINTS, title="Latency", title_justify="left")
    for name, title in (("before", "in the minute before"), ("after", "once they were as fast again")):
        figures = document[name] or dict.fromkeys(_POINTS)
        alerts.add_row(title, *["-" if figures[point] is None else f"{figures[point]:,.1f}" for point in _POINTS])
    outcome = Table(title="Seconds after the kill", title_justify="left", show_header=False)
    for name, seconds in document["seconds_after_kill"].items():
        outcome.add_row(name, "not in time" if seconds is None else f"{seconds:g}")
    outcome.add_row("", f"as fast: p95 of five seconds <= {document['normal_p95']:g} ms, and of all later ones")
    waited = document["longest_wait_ms"]
    outcome.add_row("the alert that waited longest", "-" if waited is None else f"{waited / 1000:.1f} s")
    needed, aim = document["seconds_from_start_to_normal"], document["aims"]["seconds from start to normal"]
    met = "met" if document["aims_met"]["seconds from start to normal"] else "not met"
    told = "not in time" if needed is None else f"{needed:g} s"
    outcome.add_row("from the new process until then", f"{told}; aim <= {aim:g}: {met}")
    outcome.add_row("alerts lost; sent again", f"{document['lost']}; {document['anomaly_topic_repeats']}")
    return Group(about, alerts, outcome)


def panels(document: dict[str, Any]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """p95 of each five seconds after the kill."""
    return {"alerts, p95 in s": {"": [(each["from_s"], each["p95"] / 1000) for each in document["by_5s"]]}}
