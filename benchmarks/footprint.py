"""What a deployment takes up: files and bytes on disk by part, the lake's tables, the detectors' state, limits."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES, DEAD_LETTERS, FEATURES, READINGS, THRESHOLDS
from sensorlake.settings import Settings
from stack.layout import Layout

_OWN = (READINGS, FEATURES, ANOMALIES, DEAD_LETTERS)
_MB = 2**20


def of(settings: Settings) -> dict[str, Any]:
    """`disk_mb` and `files` by folder of the data folder; `table_files` (data files of the version now) by table;
    `state`: rows and bytes that the query detect keeps, and its checkpoint's MB; `limits_mb`: the file that the alerts
    are judged by, and so what each of its batches spreads to the tasks."""
    root = settings.data_dir.absolute()
    by = {folder.name: _size(folder) for folder in sorted(root.iterdir()) if folder.is_dir()}
    limits = root / "run" / "limits.jsonl"
    return {
        "disk_mb": {name: round(size / _MB, 2) for name, (_, size) in by.items()},
        "files": {name: files for name, (files, _) in by.items()},
        "table_files": table_files(Lake.of(settings)) if "minio" in by else {},
        "checkpoint_files": _size(settings.checkpoint_dir)[0],
        "state": state(settings),
        "state_mb": round(_size(settings.checkpoint_dir / "detect")[1] / _MB, 3),
        "limits_mb": round(limits.stat().st_size / _MB, 3) if limits.is_file() else 0.0,
    }


def table_files(lake: Lake) -> dict[str, int]:
    return {table.name: len(found.file_uris()) for table in _OWN if (found := lake.find(table)) is not None}


def threshold_rows(lake: Lake) -> int:
    found = lake.find(THRESHOLDS)
    return found.to_pyarrow_dataset().count_rows() if found is not None else 0


def state(settings: Settings) -> dict[str, int] | None:
    """Rows and bytes in memory of the state of the query detect, as the stream says; None where it says nothing."""
    try:
        report = json.loads(Layout.of(settings).queries_file.read_text("utf-8"))
        found: dict[str, int] | None = report["queries"]["detect"].get("kept")
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return found


def _size(folder: Path) -> tuple[int, int]:
    """Files and bytes below a folder, while others write there."""
    files = size = 0
    for path in _files(folder):
        try:
            size += os.lstat(path).st_blocks * 512
        except OSError:
            continue
        files += 1
    return files, size


def _files(folder: Path) -> Iterator[str]:
    for where, _, names in os.walk(folder):
        yield from (os.path.join(where, name) for name in names)  # noqa: PTH118  a hundred thousand paths are slow
