"""Pictures as SVG files: PR and ROC curves of several detectors, and a run with its score and alarms."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detection.detectors.detector import Bools, Floats, Integers
from detection.judging import stretches
from detection.models.evaluation import Curves

_SIZE = (11, 4.5)
_POINTS = 1500
_HOUR = 3_600_000_000


@dataclass(frozen=True)
class Run:
    """time: microseconds since 1970; value: shape (rows, metrics); score, alarm, label, time: shape (rows,)."""

    metrics: tuple[str, ...]
    time: Integers
    value: Floats
    score: Floats
    alarm: Bools
    label: Bools


def draw(path: Path, title: str, curves: Mapping[str, Curves]) -> None:
    """One line a detector; the name of a line is the key of its curves."""
    # Takes a second to import, and only pictures need it.
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    # The same curves give the same file.
    with mpl.rc_context({"svg.hashsalt": "sensorlake", "svg.fonttype": "none"}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        left, right = figure.subplots(1, 2)
        colours = mpl.colormaps["tab20"]
        for number, (name, found) in enumerate(curves.items()):
            # The first is what is run; the others are there to compare with.
            look = (
                {"linewidth": 2.4, "color": "black"}
                if number == 0
                else {"linewidth": 1.1, "color": colours(number - 1)}
            )
            left.plot(found.recall, found.precision, label=name, **look)
            right.plot(found.false_alarm_rate, found.detection_rate, label=name, **look)
        left.set(
            xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title=f"{title}: precision and recall"
        )
        right.set(
            xlabel="false alarm rate", ylabel="detection rate", xlim=(0, 1), ylim=(0, 1.02), title=f"{title}: ROC"
        )
        right.plot([0, 1], [0, 1], linestyle=":", color="grey")
        right.legend(fontsize="x-small", loc="lower right")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def draw_run(path: Path, title: str, run: Run) -> None:
    """Readings of a run, its score on a logarithmic axis, what was labelled abnormal, and where the alarm was on."""
    import matplotlib as mpl  # noqa: PLC0415  as above
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context({"svg.hashsalt": "sensorlake", "svg.fonttype": "none"}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        time = (run.time - run.time[0]) / _HOUR
        step = max(1, len(time) // _POINTS)
        for column, metric in enumerate(run.metrics):
            value = run.value[:, column]
            centre, spread = np.nanmedian(value), np.nanstd(value) or 1.0
            shown = value[::step] if len(run.metrics) == 1 else (value[::step] - centre) / spread + 6 * column
            above.plot(time[::step], shown, linewidth=0.7, label=metric)
        edges = np.arange(0, len(time), step)
        below.plot(time[edges], np.maximum(np.maximum.reduceat(run.score, edges), 1e-2), linewidth=0.7, color="black")
        below.set(yscale="log", ylabel="score", xlabel="hours")
        below.axhline(1.0, linestyle=":", color="grey")
        for first, end in stretches(run.label):
            for axes in (above, below):
                axes.axvspan(time[first], time[end - 1], color="tab:orange", alpha=0.25)
        for first, end in stretches(run.alarm):
            below.axvspan(time[first], time[min(end, len(time) - 1)], ymax=0.1, color="tab:red")
        above.set(title=title)
        if len(run.metrics) > 1:
            above.set(yticks=[])
            above.legend(fontsize="x-small", loc="upper left", ncols=len(run.metrics))
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
