"""The result of the catch-up benchmark for people."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from benchmarks import conditions


def render(document: dict[str, Any]) -> RenderableType:
    load = document["load"]
    about = conditions.table(
        document,
        load=f"{document['sent']['messages']:,} messages ({document['sent']['readings']:,} readings) of "
        f"{load['sensors']:,} sensors wait, {load['real_seconds']:,.0f} s at {load['rate']:g} a second",
        queries=", ".join(load["queries"]),
    )
    table = Table("query", "highest lag", "caught up after s", "times real time", title="From the stream's start on")
    table.title_justify = "left"
    for name, each in document["queries"].items():
        seconds = "not in time" if each["seconds"] is None else f"{each['seconds']:,.1f}"
        times = "-" if each["times_real_time"] is None else f"{each['times_real_time']:,.1f}"
        highest = "-" if each["highest_lag"] is None else f"{each['highest_lag']:,}"
        table.add_row(name, highest, seconds, times)
    outcome = Table(title="Outcome", title_justify="left", show_header=False)
    met = "met" if document["aims_met"]["times real time"] else "not met"
    aim = document["aims"]["times real time"]
    outcome.add_row("all queries", f"{document['times_real_time']:g} times real time; aim >= {aim:g}", met)
    outcome.add_row("until the queries ran", f"{document['start_seconds']:g} s, counted in the above")
    outcome.add_row("CPU", f"{document['cpu_seconds_per_million']} s a million readings")
    outcome.add_row("", conditions.parts(document["cpu_seconds_by"]))
    outcome.add_row("memory", f"MB at most: {conditions.parts(document['peak_rss_mb_by'])}")
    if "lost" in document:
        outcome.add_row("lost, doubled", f"{document['lost']}, {document['doubled']} (anomalies: all ids)")
    if "readings" in document:
        readings = document["readings"]
        outcome.add_row("readings", f"{readings['in_delta']:,} of {readings['expected']:,} rows in Delta")
        outcome.add_row("", f"compared by id: {document['readings_compared_by_id']}")
    return Group(about, table, outcome)


def panels(document: dict[str, Any]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """How far each query is behind, in the measure that it goes by, and memory by process, over time."""
    behind = _lines(document["lag_over_time"], "lag")
    shares = {
        name: [(at, 100 * lag / max(1.0, *(each for _, each in pairs))) for at, lag in pairs]
        for name, pairs in behind.items()
    }
    return {"behind, % of its highest": shares, "memory, MB": _lines(document["memory_over_time"], "mb")}


def _lines(stretches: list[dict[str, Any]], what: str) -> dict[str, list[tuple[float, float]]]:
    lines: dict[str, list[tuple[float, float]]] = {}
    for stretch in stretches:
        for name, figure in stretch[what].items():
            lines.setdefault(name, []).append((stretch["from_s"], figure))
    return lines
