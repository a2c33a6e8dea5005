"""The result of the soak benchmark for people."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from benchmarks import conditions


def render(document: dict[str, Any]) -> RenderableType:
    load, alerts = document["load"], document["alerts"]
    about = conditions.table(
        document,
        load=f"{load['rate']:g} messages/s of {load['sensors']:,} sensors for {document['seconds'] / 60:g} min, after "
        f"{load['warmup_seconds']:g} s of the same",
        come_and_go=f"{load['churn_share']:.0%} of the sensors are replaced every {load['life_seconds']:g} s, one "
        f"after the other: {document['devices']:,} devices in all",
        queries=", ".join(load["queries"]),
        cores_used=conditions.parts(document["cores_used"]),
    )
    table = Table(title="After the warm-up, with 95 % confidence", title_justify="left")
    for name in ("", "level", "more an hour", "24 h more", "flat"):
        table.add_column(name, justify="left" if name in ("", "flat") else "right")
    for each in document["trends"]:
        flat = "yes" if each["flat"] else "no" if each["judged"] else "grows with the data"
        slope = f"{each['an_hour']:+,.2f} ({each['low']:+,.2f} to {each['high']:+,.2f})"
        table.add_row(
            f"{each['kind']}: {each['name']}", f"{each['level']:,.1f}", slope, f"{each['a_day_more']:+,.1f}", flat
        )
    outcome = Table(title="Outcome", title_justify="left", show_header=False)
    outcome.add_row("sent", f"{document['sent']['messages']:,} messages, {document['sent']['readings']:,} readings")
    if document["readings_in_delta"] is not None:
        outcome.add_row("readings in Delta", f"{document['readings_in_delta']:,}")
    outcome.add_row("alerts", f"{alerts['came']:,} of {alerts['due']:,}")
    drained = document["drain_seconds"]
    outcome.add_row("caught up", "not in time" if drained is None else f"{drained:g} s after the load")
    outcome.add_row("failures", conditions.parts(document["failures"]) or "none")
    for name, met in document["aims_met"].items():
        outcome.add_row(name, "met" if met else "not met")
    return Group(about, table, outcome)


def panels(document: dict[str, Any]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """One panel a kind of figure, over minutes."""
    return {
        kind: {name: [(at / 60, value) for at, value in pairs] for name, pairs in by_name.items()}
        for kind, by_name in document["series"].items()
    }
