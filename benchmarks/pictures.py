"""The results of benchmarks as SVG files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_TITLES = {
    "alerts": "alert in the anomaly topic",
    "alarms": "alarm of the detectors there",
    "postgres": "alert in PostgreSQL",
    "influxdb": "alert in InfluxDB",
    "delta": "reading in Delta",
}
_POINTS = ("p50", "p95", "p99")
_WIDTH, _HEIGHT = 3.2, 2.8


def latency(path: Path, document: Mapping[str, Any]) -> None:
    """Percentiles over the rate, one panel a destination; the last panel has the alerts' p95 of each ten seconds."""
    runs = sorted(document["runs"], key=lambda run: run["load"]["rate"])
    names = [name for name in _TITLES if any(name in run["samples"] for run in runs)]
    with _panels(
        path, heading(document, "latency, ms"), [*(_TITLES[name] for name in names), "p95 of each 10 s"]
    ) as axes:
        for panel, name in zip(axes, names, strict=False):
            held = [run for run in runs if name in run["samples"] and run[name]["p50"] is not None]
            for point in _POINTS:
                panel.plot([run["load"]["rate"] for run in held], [run[name][point] for run in held], "o-", label=point)
            panel.set(xlabel="messages/s", yscale="log", ylim=(1, None))
            if held:
                panel.legend(fontsize="x-small")
        for run in runs:
            stretches = run.get("alerts_by_10s") or run.get("alarms_by_10s") or []
            line = [(each["from_s"], each["p95"]) for each in stretches]
            if line:
                axes[-1].plot(*zip(*line, strict=True), label=f"{run['load']['rate']:g}/s")
        axes[-1].set(xlabel="s", yscale="log")
        if axes[-1].lines:
            axes[-1].legend(fontsize="x-small")


def lines(
    path: Path,
    heading: str,
    panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]],
    x: str,
    *,
    logarithmic: bool = False,
) -> None:
    """One panel an entry, in it one line a name: (x, y) pairs."""
    with _panels(path, heading, list(panels)) as axes:
        for panel, found in zip(axes, panels.values(), strict=False):
            for name, pairs in found.items():
                if pairs:
                    panel.plot(*zip(*pairs, strict=True), "o-" if logarithmic else "-", label=name, linewidth=1.1, ms=3)
            panel.set(xlabel=x, xscale="log" if logarithmic else "linear", ylim=(0, None))
            if any(name and pairs for name, pairs in found.items()):
                panel.legend(fontsize="x-small")


def heading(document: Mapping[str, Any], what: str) -> str:
    machine = document["machine"]
    return f"{what}: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB"


@contextmanager
def _panels(path: Path, over_all: str, titles: Sequence[str]) -> Iterator[list[Any]]:
    # Takes a second to import, and only pictures need it.
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    columns = min(3, len(titles))
    rows = -(-len(titles) // columns)
    # The same figures give the same file.
    with mpl.rc_context({"svg.hashsalt": "sensorlake", "svg.fonttype": "none"}):
        figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * rows), layout="constrained")
        FigureCanvasSVG(figure)
        figure.suptitle(over_all, fontsize="medium")
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        for panel, title in zip(axes, titles, strict=False):
            panel.set_title(title, fontsize="small")
            panel.tick_params(which="both", labelsize="x-small")
        for empty in axes[len(titles) :]:
            empty.set_visible(False)
        yield axes[: len(titles)]
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
