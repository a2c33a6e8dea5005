"""Verdicts on recorded runs on disk: one CSV file a run, all of them or none."""

import csv
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from detection.offline import Judged
from edge import wire
from edge.runs import Recording, Run
from sensorlake.errors import InputFileError

COLUMNS = ("timestamp", "score", "alarm", "detector", "metric")


def require_place(out: Path, runs: Sequence[Run]) -> None:
    """Before minutes are spent on verdicts: each file has its place, and none is that of the readings.

    Raises:
        InputFileError: naming the file that is in the way.
    """
    for run in runs:
        file = out / run.name
        if file.resolve() == run.path.resolve():
            raise InputFileError(f"{file}: the verdicts would take the place of the readings; name another folder")
        if file.is_dir():
            raise InputFileError(f"{file}: the verdicts cannot be written: that is a folder")
        for folder in file.parents:
            if folder.exists() and not folder.is_dir():
                raise InputFileError(f"{file}: the verdicts cannot be written: {folder} is no folder")


def write(out: Path, runs: Sequence[Run], recordings: Sequence[Recording], judged: Sequence[Judged]) -> None:
    """Write all files beside their places, then put them there; what lies there already is replaced.

    Raises:
        InputFileError: they cannot be written; `out` is as it was.
    """
    made = not out.exists()
    fresh = None
    try:
        out.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=out))
        for run, recording, found in zip(runs, recordings, judged, strict=True):
            _write(fresh / run.name, recording, found)
        for run in runs:
            (out / run.name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / run.name).replace(out / run.name)
    except OSError as error:
        if made:
            shutil.rmtree(out, ignore_errors=True)
        raise InputFileError(f"{out}: the verdicts cannot be written: {error.strerror or error}") from None
    finally:
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)


def _write(path: Path, recording: Recording, judged: Judged) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        columns = (judged.score.tolist(), judged.alarm.tolist(), judged.detector, judged.metric)
        for micros, score, alarm, detector, metric in zip(recording.time.tolist(), *columns, strict=True):
            table.writerow((_moment(micros), f"{score:.6g}", int(alarm), detector, metric))


def _moment(micros: int) -> str:
    """2026-01-31T08:00:00Z, with a fraction where there is one."""
    return wire.timestamp(micros).replace(".000000Z", "Z")
