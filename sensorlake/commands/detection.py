"""Commands that judge recorded runs by the detectors of the stream."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sensorlake.errors import InputFileError, SettingsError

if TYPE_CHECKING:
    from detection.judging import Figures
    from detection.offline import Rows
    from edge.runs import Recording, Run


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.command()(detect)
    app.command()(evaluate)


INPUTS = Annotated[Path, typer.Argument(help="Folder of the runs' files.", exists=True, file_okay=False)]
RUNS = Annotated[Path, typer.Option(help="JSON file that lists the runs and their `train_rows`.")]


def detect(
    inputs: INPUTS,
    *,
    runs: RUNS,
    out: Annotated[Path, typer.Option(help="Folder for the verdicts, one file a run.")],
    detector: Annotated[
        str | None, typer.Option(help="One detector alone. [default: all of them together]", metavar="NAME")
    ] = None,
) -> None:
    """Judge wide CSV files row by row, as the stream would, and write score, alarm, detector and metric of each row.

    The first `train_rows` rows of a run are taken as normal; each row is judged by the rows up to it alone.
    """
    from detection import offline, standard  # noqa: PLC0415  heavy modules are imported by the command that needs them
    from edge import verdicts  # noqa: PLC0415

    if detector is not None and detector not in standard.NAMES:
        raise SettingsError(f"--detector {detector!r} is none; there are: {', '.join(standard.NAMES)}")
    chosen, recordings = _read(inputs, runs)
    verdicts.require_place(out, chosen)
    judged = offline.judge(standard.ensemble(detector), _rows(chosen, recordings))
    verdicts.write(out, chosen, recordings, judged)
    total = sum(len(each.score) for each in judged)
    alarms = sum(int(each.alarm.sum()) for each in judged)
    typer.echo(f"{len(chosen)} runs, {total:,} rows judged, {alarms:,} of them in alarm: {out}")


def evaluate(
    inputs: INPUTS,
    *,
    runs: RUNS,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for PR and ROC curves, one SVG file a set.", metavar="DIR")
    ] = None,
    draw: Annotated[
        list[str] | None, typer.Option(help="A run to draw into that folder too; may be repeated.", metavar="RUN")
    ] = None,
) -> None:
    """Judge labelled runs by each detector alone and by all together, and print how good each is, side by side.

    Beside them stand an alarm that never stops and a plain z-score against the training rows. All detectors see the
    rows in one go, so that one that finds a spike keeps the others from learning it, as in the stream.
    """
    import numpy as np  # noqa: PLC0415

    from detection import judging, offline, standard  # noqa: PLC0415
    from detection import pictures as drawn  # noqa: PLC0415
    from edge import runs as run_files  # noqa: PLC0415

    chosen, recordings = _read(inputs, runs)
    known = [run.name for run in chosen]
    if unknown := [name for name in draw or [] if name not in known]:
        raise SettingsError(f"--draw {unknown[0]!r}: {runs} lists no such run; the first one there is {known[0]!r}")
    if draw and pictures is None:
        raise SettingsError("--draw needs --pictures DIR, the folder that the picture goes into")
    labels = [run_files.labels(run) for run in chosen]
    if pictures is not None:
        _require_folder(pictures)
    rows = _rows(chosen, recordings)
    every = offline.judge(standard.everything(), rows)
    together = range(len(standard.detectors()))
    judged = {"all together": [each.of(together) for each in every]}
    judged |= {name: [each.of([place]) for each in every] for place, name in enumerate(standard.NAMES)}
    judged["never stops"] = [offline.always(each) for each in rows]
    judged["plain z-score"] = [offline.plain_z_score(each) for each in rows]
    for group in dict.fromkeys(run.group for run in chosen):
        verdicts = {
            name: [
                judging.Verdict(found.score[run.train_rows :], found.alarm[run.train_rows :], label[run.train_rows :])
                for run, found, label in zip(chosen, each, labels, strict=True)
                if run.group == group
            ]
            for name, each in judged.items()
        }
        _print(group, {name: judging.figures(each) for name, each in verdicts.items()})
        # A set without an abnormal row has no curves.
        if pictures is not None and any(
            label.any() for run, label in zip(chosen, labels, strict=True) if run.group == group
        ):
            curves = {name: judging.curves(each) for name, each in verdicts.items() if name != "never stops"}
            drawn.draw(pictures / f"{group or 'runs'}.svg", group or "runs", curves)
    for name in draw or []:
        place = known.index(name)
        found, recording = judged["all together"][place], recordings[place]
        score = np.where(np.arange(len(found.score)) < chosen[place].train_rows, 0.0, found.score)
        run = drawn.Run(recording.metrics, recording.time, recording.value, score, found.alarm, labels[place])
        drawn.draw_run((pictures or Path()) / f"{name.removesuffix('.csv').replace('/', '-')}.svg", name, run)


def _require_folder(folder: Path) -> None:
    """Before minutes are spent on what could not be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputFileError(f"{folder}: pictures cannot be written there: {error.strerror or error}") from None


def _read(inputs: Path, runs: Path) -> "tuple[list[Run], list[Recording]]":
    from edge import runs as run_files  # noqa: PLC0415

    chosen = run_files.listed(runs, inputs)
    return chosen, [run_files.read(run) for run in chosen]


def _rows(chosen: "list[Run]", recordings: "list[Recording]") -> "list[Rows]":
    from detection.offline import Rows  # noqa: PLC0415

    return [
        Rows(run.name, read.metrics, read.time, read.value, run.train_rows)
        for run, read in zip(chosen, recordings, strict=True)
    ]


def _print(group: str, figures: "dict[str, Figures]") -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=group or None, title_justify="left")
    table.add_column("detector", no_wrap=True)
    for name in (
        "F1",
        "FAR %",
        "MAR %",
        "avg. precision",
        "ROC-AUC",
        "episodes found",
        "delay, rows",
        "false episodes",
    ):
        table.add_column(name, justify="right")
    for name, each in figures.items():
        table.add_row(
            name,
            f"{each.f1:.3f}",
            f"{100 * each.false_alarm_rate:.2f}",
            f"{100 * each.missed:.1f}",
            f"{each.average_precision:.3f}",
            f"{each.roc_auc:.3f}",
            f"{each.found} of {each.episodes}",
            f"{each.delay:.0f}",
            f"{each.false_episodes:,}",
        )
    Console(width=None if sys.stdout.isatty() else 140).print(table)
