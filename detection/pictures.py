"""PR and ROC curves of several detectors as one SVG file."""

from collections.abc import Mapping
from pathlib import Path

from detection.models.evaluation import Curves

_SIZE = (11, 4.5)


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
        for number, (name, found) in enumerate(curves.items()):
            # The first is what is run; the others are there to compare with.
            look = {"linewidth": 2.4, "color": "black"} if number == 0 else {"linewidth": 1.1}
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
