"""The result of the latency benchmark for people."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.result import DESTINATIONS, LATENCY_AIMS, MEMORY_AIM_MB

_MEASURED = {
    "alerts": "sent to received from the anomaly topic",
    "alarms": "sent to received from the anomaly topic: the detectors' alarms",
    "postgres": "sent to readable in PostgreSQL (looked every 100 ms)",
    "influxdb": "sent to readable in InfluxDB (looked every 200 ms)",
    "delta": "sent to readable in Delta (looked every 250 ms)",
}
_POINTS = ("p50", "p95", "p99", "max")


def render(document: dict[str, Any]) -> RenderableType:
    return Group(_conditions(document), _latency(document), _outcome(document))


def _conditions(document: dict[str, Any]) -> RenderableType:
    machine, load = document["machine"], document["load"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    cores = ", ".join(f"{name} {share}" for name, share in document["cores_used"].items())
    table = Table(title="Conditions", title_justify="left", show_header=False)
    table.add_row(
        "machine", f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['kernel']}"
    )
    table.add_row("versions", versions)
    table.add_row(
        "load", f"{load['rate']:g} messages/s of {load['sensors']} sensors, open loop, for {load['seconds']:g} s"
    )
    table.add_row("", f"{load['violating_share']:.2%} of the sensors always beyond their limit")
    table.add_row("", f"{load['fault_share']:.2%} with injected faults; running: {', '.join(load['queries'])}")
    table.add_row("warm-up", f"{load['warmup_seconds']:g} s of the same load before, in no percentile")
    table.add_row("cores used", f"{cores} (load average before: {machine['load_average_before']})")
    return table


def _latency(document: dict[str, Any]) -> RenderableType:
    table = Table(title="Latency from the intended send time, ms", title_justify="left")
    for name in ("", *_POINTS, "samples", "aim", ""):
        table.add_column(name, justify="left" if name in ("", "aim") else "right")
    for name in [name for name in DESTINATIONS if name in document["samples"]]:
        figures, aims = document[name], LATENCY_AIMS[name]
        verdicts = [document["aims_met"][f"{name} {point}"] for point in aims]
        aim = ", ".join(f"{point} <= {limit:g}" for point, limit in aims.items())
        cells = ["-" if figures[point] is None else f"{figures[point]:,.1f}" for point in _POINTS]
        seen, due = document["samples"][name]["seen"], document["samples"][name]["of"]
        samples = f"{seen:,}" if due is None else f"{seen:,} of {due:,}"
        table.add_row(_MEASURED[name], *cells, samples, aim, _verdict(all(verdicts)))
    return table


def _outcome(document: dict[str, Any]) -> RenderableType:
    met = document["aims_met"]
    lag, drained = document.get("lag"), document["drain_seconds"]
    table = Table(title="Outcome", title_justify="left", show_header=False)
    valid = "" if document["valid"] is None else f"; {document['valid']:,} valid"
    table.add_row("sent", f"{document['sent']:,} messages with {document['readings']:,} readings{valid}")
    table.add_row("anomalies expected", f"{document['anomalies_expected']:,}")
    table.add_row("lost", f"{document['lost']} {_parts(document['lost_by'])}", _verdict(met["nothing lost"]))
    table.add_row(
        "doubled", f"{document['doubled']} {_parts(document['doubled_by'])}", _verdict(met["nothing doubled"])
    )
    table.add_row(
        "repeats in the topic", f"{document['anomaly_topic_repeats']}; ids of no reading: {document['unexpected']}"
    )
    table.add_row(
        "CPU", f"{document['cpu_seconds_per_million']} s a million readings {_parts(document['cpu_seconds_by'])}"
    )
    table.add_row(
        "memory",
        f"{document['peak_rss_mb']:,.0f} MB at most {_parts(document['peak_rss_mb_by'])}; aim: <= {MEMORY_AIM_MB:,}",
        _verdict(met["memory"]),
    )
    if lag is not None:
        parts = [f"{document['highest_lag']} messages at most", f"by quarter {lag['highest_by_quarter']}"]
        table.add_row("lag of the lake", ", ".join([*parts, f"at the end {lag['end']}"]))
    table.add_row("caught up", f"{drained} s after the load" if drained is not None else Text("not in time", "red"))
    late = document["load_generator"]["lateness"]
    table.add_row("sender's lateness", f"p99 {late['p99']} ms, max {late['max']} ms (part of every latency)")
    return table


def _verdict(met: bool) -> Text:
    return Text("met", "green") if met else Text("not met", "red")


def _parts(parts: dict[str, float]) -> str:
    shown = ", ".join(f"{name} {value:g}" for name, value in parts.items() if value)
    return f"({shown})" if shown else ""
