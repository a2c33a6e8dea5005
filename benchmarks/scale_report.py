"""The result of the scale benchmark for people."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from benchmarks import conditions


def render(document: dict[str, Any]) -> RenderableType:
    parts: list[RenderableType] = [conditions.table(document)]
    if found := document.get("sensors"):
        parts += [_by_sensors(found), _by_process(found)]
    if found := document.get("days"):
        parts.append(_by_days(found))
    return Group(*parts)


def panels(document: dict[str, Any]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """By cost: its value over the number of sensors."""
    sizes = [size for size in document.get("sensors", {}).get("sizes", []) if "failed" not in size]
    names = list(sizes[0]["costs"]) if sizes else []
    return {
        name: {"": [(size["sensors"], size["costs"][name]) for size in sizes if size["costs"][name] is not None]}
        for name in names
    }


def _by_sensors(found: dict[str, Any]) -> Table:
    load = found["load"]
    table = Table(
        title=f"{load['rate']:g} messages a second in all, {load['seconds']:g} s counted", title_justify="left"
    )
    well = [size for size in found["sizes"] if "failed" not in size]
    names = list(well[0]["costs"]) if well else []
    for name in ("sensors", *names):
        table.add_column(name, justify="right")
    for size in found["sizes"]:
        if "failed" in size:
            table.add_row(f"{size['sensors']:,}", f"failed: {size['failed'].splitlines()[0]}")
            continue
        table.add_row(f"{size['sensors']:,}", *[_number(size["costs"][name]) for name in names])
    table.add_row("exponent", *[_number(found["exponents"][name]) for name in names])
    verdict = {True: "linear or less", False: "faster", None: "-"}
    table.add_row("", *[verdict[found["linear"][name]] for name in names])
    return table


def _by_process(found: dict[str, Any]) -> Table:
    table = Table("sensors", "CPU s a million readings", "memory MB at most", "disk MB a million readings")
    for size in found["sizes"]:
        if "failed" not in size:
            used = (size["cpu_seconds_per_million_by"], size["peak_rss_mb_by"], size["disk_mb_per_million_by"])
            table.add_row(f"{size['sensors']:,}", *[conditions.parts(each) for each in used])
    return table


def _by_days(found: dict[str, Any]) -> Table:
    table = Table(
        *("days in the lake", "stream: CPU s a million", "memory MB", "a day: s", "memory MB", "readings of the day"),
        title=f"{found['history']['sensors']:,} sensors, a reading a minute each",
        title_justify="left",
    )
    for lake in found["lakes"]:
        stream, day = lake["stream"], lake["day"]
        memory = f"{sum(stream['peak_rss_mb_by'].values()):,.0f}"
        cells = [_number(stream["cpu_seconds_per_million"]), memory, _number(day["seconds"]), f"{day['peak_mb']:,.0f}"]
        table.add_row(f"{lake['days']}", *cells, f"{day['rows']:,}")
    larger = found["larger_day"]
    table.add_row(
        "a larger day", "", "", _number(larger["seconds"]), f"{larger['peak_mb']:,.0f}", f"{larger['rows']:,}"
    )
    for name, met in found["aims_met"].items():
        table.add_row("met" if met else "not met", name)
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}".rstrip("0").rstrip(".")
