"""Commands that judge recorded runs by the detectors of the stream."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sensorlake.errors import InputFileError, SettingsError

if TYPE_CHECKING:
    from detection.offline import Judged
    from edge.runs import Recording


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.command()(detect)


def detect(
    inputs: Annotated[Path, typer.Argument(help="Folder of the runs' files.", exists=True, file_okay=False)],
    *,
    runs: Annotated[Path, typer.Option(help="JSON file that lists the runs and their `train_rows`.")],
    out: Annotated[Path, typer.Option(help="Folder for the verdicts, one file a run.")],
    detector: Annotated[
        str | None, typer.Option(help="One detector alone. [default: all of them together]", metavar="NAME")
    ] = None,
) -> None:
    """Judge wide CSV files row by row, as the stream would, and write score, alarm, detector and metric of each row.

    The first `train_rows` rows of a run are taken as normal; each row is judged by the rows up to it alone.
    """
    from detection import offline, standard  # noqa: PLC0415  heavy modules are imported by the command that needs them
    from detection.offline import Rows  # noqa: PLC0415
    from edge import runs as run_files  # noqa: PLC0415

    if detector is not None and detector not in standard.NAMES:
        raise SettingsError(f"--detector {detector!r} is none; there are: {', '.join(standard.NAMES)}")
    chosen = run_files.listed(runs, inputs)
    recordings = [run_files.read(run) for run in chosen]
    rows = [
        Rows(run.name, read.metrics, read.time, read.value, run.train_rows)
        for run, read in zip(chosen, recordings, strict=True)
    ]
    judged = offline.judge(standard.ensemble(detector), rows)
    for run, recording, found in zip(chosen, recordings, judged, strict=True):
        _write(out / run.name, recording, found)
    total = sum(len(each.score) for each in judged)
    alarms = sum(int(each.alarm.sum()) for each in judged)
    typer.echo(f"{len(chosen)} runs, {total:,} rows judged, {alarms:,} of them in alarm: {out}")


def _write(path: Path, recording: "Recording", judged: "Judged") -> None:
    import csv  # noqa: PLC0415
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    fresh = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("timestamp", "score", "alarm", "detector", "metric"))
            for place, micros in enumerate(recording.time.tolist()):
                moment = (epoch + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")
                score, alarm = f"{judged.score[place]:.6g}", int(judged.alarm[place])
                table.writerow((moment, score, alarm, judged.detector[place], judged.metric[place]))
        fresh.replace(path)
    except OSError as error:
        raise InputFileError(f"{path}: the verdicts cannot be written: {error.strerror or error}") from None
