"""The live panel, 80 columns wide, and the plain line that takes its place where the output is no terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sensorlake.demo import recordings
from sensorlake.demo.feeds import ONE_IN
from sensorlake.demo.figures import shown
from sensorlake.demo.fleet import ANOMALY_RATE, SENSORS
from sensorlake.demo.view import View

WIDTH = 80
_GOOD = ("running", "ready")


def line(view: View) -> str:
    """One plain line."""
    if not view.readings_in:
        return f"{view.elapsed:6.1f} s  {view.phase}, {view.memory_mb:.0f} MB"
    p50, p95, _ = view.latency_ms
    return (
        f"{view.elapsed:6.1f} s  {view.phase}: {view.rate:.0f} readings/s in, {view.readings_in:,} so far; "
        f"alerts {view.alerts}, p50 {shown(p50)} p95 {shown(p95)} ms; dead letters {view.dead_letters}; "
        f"Delta {view.delta_readings:,} readings in {view.commits} commits; lag {shown(view.lag)}; "
        f"{view.memory_mb:.0f} MB"
        + (f"; thresholds: {view.thresholds}" if view.thresholds else "")
        + (f"; models: {', '.join(view.models)}" if view.models else "")
        + (f"; {view.trouble}" if view.trouble else "")
    )


def render(view: View, addresses: Sequence[tuple[str, str]], notes: Sequence[str]) -> RenderableType:
    """The whole panel."""
    parts: list[RenderableType] = [
        Text(view.phase, style="bold"),
        _sources(),
        Text(),
        _flow(view),
        Text(),
        _processes(view),
        Text(),
        _places(addresses),
    ]
    parts += [Text(note, style="yellow") for note in notes]
    if view.trouble:
        parts.append(Text(view.trouble, style="red"))
    title = f"sensorlake demo · {view.elapsed:.0f} s"
    return Panel(Group(*parts), title=title, subtitle="Ctrl-C ends it and counts", width=WIDTH, box=box.ROUNDED)


def _sources() -> Text:
    lines = [f"{SENSORS} simulated sensors, {ANOMALY_RATE:.0%} with faults"]
    lines += [recording.shown for recording in recordings.RECORDINGS]
    lines += [f"on purpose: of the sensors' messages one in {ONE_IN} is broken, one sent twice"]
    return Text("\n".join(lines), style="dim")


def _flow(view: View) -> Table:
    p50, p95, p99 = view.latency_ms
    first = (
        "none yet" if view.first_alert_s is None else f"first {view.first_alert_s:.0f} s after the start of the demo"
    )
    table = _grid(14, 10, 2, 48)
    table.add_row("readings in", shown(view.readings_in), "", f"{view.rate:,.0f} a second, {view.seconds:.0f} s so far")
    table.add_row("alerts", shown(view.alerts), "", f"p50 {shown(p50)}, p95 {shown(p95)}, p99 {shown(p99)} ms")
    table.add_row("", "", "", first)
    if view.thresholds:
        table.add_row("thresholds", "", "", view.thresholds)
    for place, text in enumerate(view.models):
        table.add_row("" if place else "models", "", "", text)
    table.add_row("dead letters", shown(view.dead_letters), "", f"{view.broken} broken messages were sent")
    table.add_row("duplicates", shown(view.duplicates), "", f"{view.repeated} readings were sent again")
    table.add_row(
        "lake readings", shown(view.delta_readings), "", f"rows, {view.commits} commits; lag {shown(view.lag)} messages"
    )
    table.add_row("", "", "", f"readable {shown(view.freshness_s, 's')} after arrival (median)")
    table.add_row("lake features", shown(view.delta_features), "", "rows, of windows that have closed")
    return table


def _processes(view: View) -> Table:
    table = _grid(15, 11, 7, 2, 12, 11, 9, 7)
    table.add_row(*[Text(name, style="dim") for name in ("service", "", "MB", "", "query", "", "rows/s", "lag")])
    services, queries = list(view.services.items()), list(view.queries.items())
    for place in range(max(len(services), len(queries))):
        left: list[RenderableType] = ["", "", ""]
        right: list[RenderableType] = ["", "", "", ""]
        if place < len(services):
            name, service = services[place]
            left = [name, _state(str(service["state"])), shown(service["rss_mb"])]
        if place < len(queries):
            name, query = queries[place]
            # a query that does not run shows what it did last time
            runs = query["state"] == "running"
            figures = [shown(query[field] if runs else None) for field in ("input_rate", "lag")]
            right = [name, _state(str(query["state"])), *figures]
        table.add_row(*left, "", *right)
    total: list[RenderableType] = ["all", "", shown(round(view.memory_mb)), "", "", "", "", ""]
    table.add_row(*total)
    return table


def _places(addresses: Sequence[tuple[str, str]]) -> Table:
    table = _grid(12, 62)
    for name, address in addresses:
        table.add_row(name, Text(address, overflow="fold"))
    return table


def _state(text: str) -> Text:
    return Text(text, style="green" if text in _GOOD else "yellow")


def _grid(*widths: int) -> Table:
    table = Table.grid(padding=0)
    for place, width in enumerate(widths):
        numeric = (len(widths), place) in ((4, 1), (8, 2), (8, 6), (8, 7))
        table.add_column(width=width, justify="right" if numeric else "left", no_wrap=len(widths) == 8)
    return table
